//! Reading a classic queue without taking anything out of it.
//!
//! A classic queue counts no deliveries, so a look spends nothing: what is not acknowledged goes back, in its order,
//! when the channel closes. While it is open the queue is the looker's alone, and looks empty to everybody else.

use std::{ops::ControlFlow, time::Duration};

use futures::StreamExt;
use lapin::{
    Channel, Connection, Consumer, ErrorKind,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::FieldTable,
};
use tokio::time::{sleep, timeout};

use super::{envelope, publish::Publisher};
use crate::failure::Failure;

/// How long the broker may take to hand over the next message it has.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing must come from a queue before it counts as empty.
const QUIET: Duration = Duration::from_secs(1);
/// How often to try again while somebody else looks, and after how long.
const TRIES: u32 = 24;
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// An open queue: what was seen is in our hand, and nobody else gets at the rest. Dropping it gives all of it back.
pub(super) struct Look {
    publisher: Publisher,
    channel: Channel,
    /// With it the queue would stop being ours alone, while its messages are in nobody's count.
    _consumer: Consumer,
}

impl Look {
    /// Takes a message out, for good once the queue is closed. False if it went back meanwhile.
    pub(super) async fn take(&self, delivery: &Delivery) -> Result<bool, Failure> {
        let taken = delivery.acker.ack(BasicAckOptions::default());
        Ok(self.publisher.link().unless_severed(taken).await??)
    }

    /// Closes the queue. When this has succeeded, what was acknowledged is gone: the broker answers only after it has
    /// carried out what was said before.
    pub(super) async fn close(self) -> Result<(), Failure> {
        let closed = self.channel.close(200, "looked".into());
        Ok(self.publisher.link().unless_severed(closed).await??)
    }
}

/// Looks through a queue, oldest first, until `see` has seen enough or everything: what it has not seen by then was not
/// there. Fails rather than to end early.
pub(super) async fn look(
    publisher: Publisher,
    queue: &str,
    see: impl FnMut(Delivery) -> ControlFlow<()>,
) -> Result<Look, Failure> {
    let link = publisher.link();
    let (channel, consumer) = link.unless_severed(look_through(link.connection(), queue, see)).await??;
    Ok(Look { publisher, channel, _consumer: consumer })
}

async fn look_through(
    connection: &Connection,
    queue: &str,
    mut see: impl FnMut(Delivery) -> ControlFlow<()>,
) -> Result<(Channel, Consumer), Failure> {
    let mut tries = 1;
    let (channel, mut consumer, expected) = loop {
        match open(connection, queue).await {
            Ok(opened) => break opened,
            Err(error) if !is_refused(&error) => return Err(error.into()),
            Err(error) if tries == TRIES => return Err(in_use(queue, &error)),
            Err(_) => tries += 1,
        }
        sleep(TRY_AGAIN).await;
    };
    for seen in 0..expected {
        let next = timeout(PATIENCE, consumer.next()).await;
        let Ok(Some(delivery)) = next else { return Err(stopped(queue, seen, expected)) };
        if see(delivery?).is_break() {
            break;
        }
    }
    Ok((channel, consumer))
}

/// Opens a queue that nobody else has open, and tells how many messages are in it. They are counted while nobody else
/// can have some in hand: such messages are in nobody's count.
async fn open(connection: &Connection, queue: &str) -> Result<(Channel, Consumer, u32), lapin::Error> {
    let (channel, mut consumer) = consume(connection, queue, Some(1)).await?;
    let waiting = count(connection, queue).await?;
    // One is in our hand, where there are any.
    let wait = if waiting > 0 { PATIENCE } else { QUIET };
    let in_hand = timeout(wait, consumer.next()).await.ok().flatten().transpose()?;
    channel.close(200, "counted".into()).await?;
    let (channel, consumer) = consume(connection, queue, None).await?;
    Ok((channel, consumer, waiting + u32::from(in_hand.is_some())))
}

/// A consumer that nobody shares the queue with, which is sent so many messages ahead at most.
async fn consume(
    connection: &Connection,
    queue: &str,
    ahead: Option<u16>,
) -> Result<(Channel, Consumer), lapin::Error> {
    let channel = connection.create_channel().await?;
    if let Some(ahead) = ahead {
        channel.basic_qos(ahead, BasicQosOptions::default()).await?;
    }
    let options = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
    let consumer =
        channel.basic_consume(envelope::short(queue), "".into(), options, FieldTable::default()).await?;
    Ok((channel, consumer))
}

fn is_refused(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(refusal)
        if matches!(refusal.kind(), AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)))
}

fn in_use(queue: &str, error: &lapin::Error) -> Failure {
    let why = format!("{queue} is being looked at by somebody else: try again in a moment");
    Failure { causes: vec![error.to_string()], ..Failure::transient("dead_letters.in_use", why) }
}

fn stopped(queue: &str, seen: u32, expected: u32) -> Failure {
    let why = format!("{queue} was to hand over {expected} messages, and stopped after {seen}: try again");
    Failure::transient("dead_letters.stopped", why)
}

async fn count(connection: &Connection, queue: &str) -> Result<u32, lapin::Error> {
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
    let count =
        channel.queue_declare(envelope::short(queue), passive, FieldTable::default()).await?.message_count();
    channel.close(200, "counted".into()).await?;
    Ok(count)
}
