//! Browsing a classic queue: reading it from its head without taking anything out of it.
//!
//! A classic queue counts no deliveries, so browsing spends nothing: what is not acknowledged goes back, in its order,
//! when the channel closes. While it is open the queue is the browser's alone, and looks empty to everybody else.
//!
//! Messages are asked for one by one, so that no more of them are in memory than somebody keeps, however many there are.
//! A consumer would be sent all that its prefetch allows, and more only as it acknowledges.

use std::{collections::VecDeque, time::Duration};

use futures::StreamExt;
use lapin::{
    Channel, Connection, Consumer, ErrorKind,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::FieldTable,
};
use tokio::time::{sleep, timeout};

use super::{super::message::headers, publisher::Publisher};
use crate::failure::Failure;

/// How long the broker may take to hand over the next message it has.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing must come from a queue before it counts as empty.
const QUIET: Duration = Duration::from_secs(1);
/// How often to try again while somebody else browses the queue, and after how long.
const TRIES: u32 = 24;
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// The failure of a queue that somebody else has open.
pub(in crate::runtime) const IN_USE: &str = "dead_letters.in_use";

/// An open queue: what was read is in our hand, and nobody else gets at the rest. Dropping it gives all of it back.
pub(in crate::runtime) struct QueueBrowser {
    publisher: Publisher,
    queue: String,
    channel: Channel,
    /// Has the first message in hand. With it the queue would stop being ours alone.
    _guard: Consumer,
    /// Messages that came before they were asked for.
    ahead: VecDeque<Delivery>,
    /// Messages that were there when the queue was opened, and that were not asked for yet.
    left: u32,
}

impl QueueBrowser {
    /// Opens a queue; waits a few seconds for whoever browses it just now.
    pub(in crate::runtime) async fn open(publisher: Publisher, queue: &str) -> Result<Self, Failure> {
        let connection = publisher.connection();
        let mut tries = 1;
        let (channel, guard, ahead, left) = loop {
            match connection.ask(open(connection.amqp(), queue)).await? {
                Ok(opened) => break opened,
                Err(error) if !is_refused(&error) => return Err(error.into()),
                Err(error) if tries == TRIES => return Err(in_use(queue, &error)),
                Err(_) => tries += 1,
            }
            sleep(TRY_AGAIN).await;
        };
        Ok(Self { publisher, queue: queue.to_owned(), channel, _guard: guard, ahead, left })
    }

    /// The next message, oldest first; none after the last of those that were there when the queue was opened. Fails
    /// where one of them is not there any more: somebody else has it in hand, and may give it back or not.
    pub(in crate::runtime) async fn next(&mut self) -> Result<Option<Delivery>, Failure> {
        if let Some(delivery) = self.ahead.pop_front() {
            return Ok(Some(delivery));
        }
        if self.left == 0 {
            return Ok(None);
        }
        let get = self.channel.basic_get(headers::short(&self.queue), BasicGetOptions::default());
        let got = self.publisher.connection().unless_severed(timeout(PATIENCE, get)).await?;
        let Ok(Some(message)) = got.map_err(|_| self.stopped())? else { return Err(self.stopped()) };
        self.left -= 1;
        Ok(Some(message.delivery))
    }

    /// Takes a message out, for good once the queue is closed.
    pub(in crate::runtime) async fn take(&self, delivery_tag: u64) -> Result<(), Failure> {
        let taken = self.channel.basic_ack(delivery_tag, BasicAckOptions::default());
        Ok(self.publisher.connection().ask(taken).await??)
    }

    /// Closes the queue. When this has succeeded, what was taken is gone: the broker answers only after it has carried
    /// out what was said before.
    pub(in crate::runtime) async fn close(self) -> Result<(), Failure> {
        let closed = self.channel.close(200, "browsed".into());
        Ok(self.publisher.connection().ask(closed).await??)
    }

    fn stopped(&self) -> Failure {
        let why = format!("{} still had {} messages, and handed over none: try again", self.queue, self.left);
        Failure::transient("dead_letters.stopped", why)
    }
}

/// Opens a queue that nobody else has open: its first messages, and how many are left.
async fn open(
    connection: &Connection,
    queue: &str,
) -> Result<(Channel, Consumer, VecDeque<Delivery>, u32), lapin::Error> {
    let channel = connection.create_channel().await?;
    // The guard takes one message and is sent no other; what is asked for by name does not count.
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
    let name = headers::short(queue);
    let mut guard = channel.basic_consume(name.clone(), "".into(), options, FieldTable::default()).await?;
    let second = channel.basic_get(name, BasicGetOptions::default()).await?;
    // The guard is sent the first before anybody can ask for the second.
    let wait = if second.is_some() { PATIENCE } else { QUIET };
    let first = timeout(wait, guard.next()).await.ok().flatten().transpose()?;
    let left = second.as_ref().map_or(0, |message| message.message_count);
    let ahead = first.into_iter().chain(second.map(|message| message.delivery)).collect();
    Ok((channel, guard, ahead, left))
}

fn is_refused(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(refusal)
        if matches!(refusal.kind(), AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)))
}

fn in_use(queue: &str, error: &lapin::Error) -> Failure {
    let why = format!("{queue} is being browsed by somebody else: try again in a moment");
    Failure { causes: vec![error.to_string()], ..Failure::transient(IN_USE, why) }
}
