//! Publishing what came out of a batch, until the broker has it.
//!
//! What the broker does not take is kept, and published again under the same ids until it does: the deliveries stay in
//! hand, and none is spent on a queue at its limit, a binding that is gone or an alarm.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    super::{
        Worker,
        broker::{outgoing::Outgoing, publish_error::PublishError},
        retry::Delays,
    },
    Consumer, broken,
};
use crate::failure::Failure;

/// The shortest and the longest time between two tries to publish what the broker did not take.
const PUBLISH_SOONEST: Duration = Duration::from_millis(500);
const PUBLISH_LATEST: Duration = Duration::from_secs(5);
/// How long deliveries are kept that cannot be settled. RabbitMQ takes them back after half an hour
/// (<https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout>).
const KEEP_UNPUBLISHED: Duration = Duration::from_mins(20);

impl<W: Worker> Consumer<'_, W> {
    /// Publishes, and returns when the broker has confirmed all. While it does not take them the stage is paused; what is
    /// left is tried again, one message before the others. Fails when the session has ended, when it is time to stop, or
    /// when deliveries cannot be kept any longer: then they are delivered again.
    pub(super) async fn publish(&mut self, mut messages: Vec<Outgoing>) -> Result<(), Failure> {
        let began = Instant::now();
        let mut waits = Delays::between(PUBLISH_SOONEST, PUBLISH_LATEST);
        let (mut paused, mut was_paused) = (false, false);
        while !messages.is_empty() {
            let most = if paused { 1 } else { messages.len() };
            let published = self.publish_once(&mut messages, most, &mut paused).await?;
            was_paused |= paused;
            let failure = match published {
                Ok(()) if paused => {
                    // The one message went out: now the others.
                    paused = false;
                    waits.reset();
                    self.status.half_open();
                    continue;
                }
                Ok(()) => continue,
                Err(failure) => failure,
            };
            (paused, was_paused) = (true, true);
            self.status.pause(&failure);
            if began.elapsed() > KEEP_UNPUBLISHED {
                return Err(broken(format!("deliveries cannot be settled for 20 minutes: {failure}")));
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(broken(format!("told to stop, and {failure}"))),
                () = sleep(waits.next()) => {}
            }
            if matches!(failure.code, "broker.unroutable" | "broker.publish") {
                // Where this user may declare, what is gone is made again; otherwise somebody else has to.
                let _ = self.session.declare().await;
            }
        }
        if was_paused {
            self.status.consuming();
        }
        Ok(())
    }

    /// One try; says at once when the broker blocks publishers, and waits for it.
    async fn publish_once(
        &mut self,
        messages: &mut Vec<Outgoing>,
        most: usize,
        paused: &mut bool,
    ) -> Result<Result<(), Failure>, Failure> {
        let mut blocked = self.session.publisher.blocked();
        let publishing = self.session.publisher.publish_some(messages, most);
        let mut publishing = std::pin::pin!(publishing);
        let began = Instant::now();
        loop {
            tokio::select! {
                biased;
                published = &mut publishing => return Ok(published.map_err(Failure::from)),
                news = blocked.wait_for(Option::is_some), if !*paused => {
                    let why = news.ok().and_then(|why| why.clone()).unwrap_or_default();
                    *paused = true;
                    self.status.pause(&PublishError::Blocked(why).into());
                }
                // A broker that is well is waited for: what is handled should be settled.
                () = self.stop.cancelled(), if *paused => {
                    return Err(broken("told to stop while the broker takes nothing"));
                }
                () = sleep(KEEP_UNPUBLISHED.saturating_sub(began.elapsed())) => {
                    return Err(broken("the broker has confirmed nothing for 20 minutes"));
                }
            }
        }
    }
}
