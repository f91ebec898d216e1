//! Giving messages back: published again as they were, which spends none of the deliveries that guard against crashes,
//! then acknowledged.

use lapin::{message::Delivery, options::BasicAckOptions};

use super::{
    super::{Worker, broker::outgoing::Outgoing, message::headers},
    Consumer,
    intake::{Intake, Intakes},
    settle::{acknowledge, acknowledged},
};
use crate::failure::Failure;

impl<W: Worker> Consumer<'_, W> {
    /// Takes no more, and gives back all that is in hand and all that was sent ahead. While the broker does not take it, all of
    /// it is kept, and the stage stays paused; at a stop nobody waits for that.
    pub(super) async fn give_back(&mut self, intakes: Option<Intakes>) -> Result<(), Failure> {
        let Some(Intakes { work, replays, .. }) = intakes else { return Ok(()) };
        for intake in [work, replays] {
            self.give_back_intake(intake).await?;
        }
        self.count_hands(0);
        Ok(())
    }

    pub(super) async fn give_back_intake(&mut self, intake: Intake) -> Result<(), Failure> {
        let queue = intake.queue.clone();
        let settle_by = self.settle_by(&[]);
        let (channel, ahead) = intake.close(self.session).await?;
        let hands = self.take_from_hand(|held| held.queue == queue);
        let deliveries: Vec<Delivery> = hands.into_iter().map(|held| held.delivery).chain(ahead).collect();
        let again = deliveries.iter().map(|delivery| as_it_was(delivery, &queue)).collect();
        if self.stop.is_cancelled() {
            self.session.publisher.publish(again).await?;
        } else if let Some(trouble) = self.publish_patiently(again, settle_by).await? {
            self.status.pause(&trouble);
        }
        // All in one: of hundreds of single acknowledgements the broker tells a quorum queue some at a time, and forgets
        // the rest when the channel closes.
        if let Some(latest) = deliveries.iter().max_by_key(|delivery| delivery.delivery_tag) {
            acknowledged(latest.acker.ack(BasicAckOptions { multiple: true }).await)?;
        }
        self.session.consume.ask(channel.close(200, "not taking work".into())).await??;
        Ok(())
    }

    /// Gives back what has been in hand for as long as a message may be: the broker takes deliveries back after a while
    /// of its own (`consumer_timeout`), and spends one on each.
    pub(super) async fn return_overdue(&mut self) -> Result<(), Failure> {
        let most = self.settings.max_in_hand;
        let overdue = self.take_from_hand(|held| held.taken.elapsed() >= most);
        if overdue.is_empty() {
            return Ok(());
        }
        tracing::info!(
            stage = self.stage.name,
            "{} messages have been in hand for {} s, and go back to their queue",
            overdue.len(),
            most.as_secs()
        );
        let again = overdue.iter().map(|held| as_it_was(&held.delivery, &held.queue)).collect();
        self.publish(again, self.settle_by(&overdue)).await?;
        for held in &overdue {
            acknowledge(&held.delivery).await?;
        }
        self.count_hands(0);
        Ok(())
    }
}

fn as_it_was(delivery: &Delivery, queue: &str) -> Outgoing {
    Outgoing {
        exchange: String::new(),
        key: queue.to_owned(),
        mandatory: true,
        properties: headers::again(&delivery.properties),
        body: delivery.data.clone(),
    }
}
