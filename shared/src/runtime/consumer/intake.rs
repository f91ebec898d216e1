//! Taking deliveries: the queues a consumer reads, and a delivery in its hand.

use std::{
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use futures::{FutureExt, StreamExt};
use lapin::{
    Channel,
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::Instant;

use super::super::{Job, broker::session::Session, message::headers, process::spans::Scope};
use crate::failure::{Class, Failure};

/// The code of a consumer's end.
pub(super) const CANCELLED: &str = "broker.cancelled";
/// Which replica the broker serves first (rabbitmq.com/docs/consumer-priority): another gets a message only when that one holds
/// all it may. A queue that is short is one replica's, in batches as large as can be, and a long one is everybody's. Served in
/// turn, four replicas got a fourth of each batch, and asked the database four times as often for the same rows.
static PRIORITY: LazyLock<i32> =
    LazyLock::new(|| i32::try_from(RandomState::new().hash_one(()) >> 33).unwrap_or_default());
/// Most replayed messages in hand.
pub(super) const MOST_REPLAYS: u16 = 10;

/// The queues of a stage, being read.
pub(super) struct Intakes {
    pub(super) work: Intake,
    pub(super) replays: Intake,
    /// How many messages of live work the broker sends ahead.
    pub(super) prefetch: u16,
}

impl Intakes {
    /// Lets go of both without giving anything back: the broker has ended one of them.
    pub(super) async fn abandon(self, session: &Session) {
        for intake in [self.work, self.replays] {
            // A channel that is gone already needs no closing.
            let _ = session.consume.ask(intake.channel.close(200, "cancelled".into())).await;
        }
    }
}

/// A queue that is being read.
pub(super) struct Intake {
    pub(super) queue: String,
    pub(super) channel: Channel,
    consumer: lapin::Consumer,
}

/// A delivery as it comes, and the queue it comes from.
pub(super) struct Taken {
    pub(super) queue: String,
    pub(super) delivery: Delivery,
}

impl Taken {
    /// The message's id; empty where it has none.
    pub(super) fn message_id(&self) -> String {
        self.delivery.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

impl Intake {
    /// Begins to read a queue. Dropped on its way, it leaves nothing behind: lapin closes a channel that nobody has.
    pub(super) async fn open(session: &Session, queue: String, prefetch: u16) -> Result<Self, lapin::Error> {
        let channel = session.consume.amqp().create_channel().await?;
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let (name, options) = (headers::short(&queue), BasicConsumeOptions::default());
        let mut arguments = FieldTable::default();
        arguments.insert("x-priority".into(), AMQPValue::LongInt(*PRIORITY));
        let consumer = channel.basic_consume(name, "".into(), options, arguments).await?;
        Ok(Self { queue, channel, consumer })
    }

    /// The next delivery, and whatever else is here already. Fails with the code `broker.cancelled` when the broker has
    /// ended the consumer, and with another when the session broke. Loses nothing when it is dropped on its way.
    pub(super) async fn take(&mut self) -> Result<Vec<Taken>, Failure> {
        let mut deliveries = Vec::new();
        let mut next = self.consumer.next().await;
        loop {
            match next {
                Some(Ok(delivery)) => deliveries.push(Taken { queue: self.queue.clone(), delivery }),
                // What came before is handled first; the end is met again.
                _ if !deliveries.is_empty() => return Ok(deliveries),
                Some(Err(error)) if error.is_amqp_soft_error() => {
                    return Err(self.cancelled(&error.to_string()));
                }
                Some(Err(error)) => return Err(error.into()),
                None => return Err(self.cancelled("the queue was deleted, or has moved")),
            }
            match self.consumer.next().now_or_never() {
                Some(more) => next = more,
                None => return Ok(deliveries),
            }
        }
    }

    /// What is here already; nothing where nothing is. Fails as [`take`](Self::take) does.
    pub(super) fn take_waiting(&mut self) -> Result<Vec<Taken>, Failure> {
        self.take().now_or_never().unwrap_or_else(|| Ok(Vec::new()))
    }

    fn cancelled(&self, why: &str) -> Failure {
        let why = format!("the broker ended the consumer of {}: {why}", self.queue);
        Failure::new(Class::Outage, CANCELLED, why)
    }

    /// Takes no more, and returns what was sent ahead.
    pub(super) async fn close(mut self, session: &Session) -> Result<(Channel, Vec<Delivery>), Failure> {
        let closed = async {
            self.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default()).await?;
            let mut ahead = Vec::new();
            while let Some(delivery) = self.consumer.next().await {
                ahead.push(delivery?);
            }
            Ok::<_, lapin::Error>(ahead)
        };
        let ahead = session.consume.ask(closed).await??;
        Ok((self.channel, ahead))
    }
}

/// A delivery in hand.
pub(super) struct InHand<In> {
    pub(super) delivery: Delivery,
    /// The queue it came from.
    pub(super) queue: String,
    pub(super) scope: Scope,
    pub(super) job: Job<In>,
    pub(super) taken: Instant,
    /// Not to be handed in before this, whatever arrives.
    pub(super) not_before: Instant,
    /// To be handed in by then at the latest.
    pub(super) due: Instant,
}

impl<In> InHand<In> {
    /// How many attempts at it have failed, before this one.
    pub(super) fn failed_attempts(&self) -> u32 {
        headers::failed_attempts(&self.delivery.properties)
    }

    /// The message's id; empty where it has none.
    pub(super) fn id(&self) -> &str {
        self.delivery.properties.message_id().as_ref().map_or("", |id| id.as_str())
    }
}
