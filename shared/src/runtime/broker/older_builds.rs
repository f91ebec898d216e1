//! Builds that know schema 14 or less publish what becomes of dead letters to a queue, from which one of them records it.
//!
//! Here the queue is emptied, as long as it exists. Its copies of dead letters are dropped: one without a row is found in its
//! own queue. That a replay was handled is told nowhere else, and noted.

use std::time::Duration;

use lapin::options::{BasicAckOptions, BasicGetOptions};

use super::super::{Announcer, message::dead_letter};
use crate::{
    dead_letter::{DeadLetterStore, Settled},
    failure::Failure,
};

/// Where they publish it.
const QUEUE: &str = "dead-letters.ledger";
/// The routing key of the news that a replay was handled.
const RESOLVED: &str = "cured";
/// How often to look while the queue exists: workers of older builds may still run.
const WHILE_THERE: Duration = Duration::from_secs(30);
/// How often to look whether it exists: somebody may go back to an older build.
const WHILE_GONE: Duration = Duration::from_hours(1);
/// Most messages that one transaction notes.
const AT_ONCE: usize = 200;

/// Notes what workers of older builds have said; how long to wait before the next look. Fails when the broker or the database
/// does; what was not noted is still in its queue then.
pub async fn understand_older_builds(
    store: &dyn DeadLetterStore,
    announcer: &Announcer,
) -> Result<Duration, Failure> {
    let there = drain(store, announcer).await?;
    Ok(if there { WHILE_THERE } else { WHILE_GONE })
}

/// Empties the queue; false where there is none.
async fn drain(store: &dyn DeadLetterStore, announcer: &Announcer) -> Result<bool, Failure> {
    let publisher = announcer.publisher().await?;
    let connection = publisher.connection();
    let channel = connection.amqp().create_channel().await?;
    loop {
        let mut settled = Settled::default();
        let mut last = None;
        for _ in 0..AT_ONCE {
            let got = channel.basic_get(QUEUE.into(), BasicGetOptions::default());
            let message = match connection.ask(got).await? {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(error) if error.is_amqp_soft_error() => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            if message.delivery.routing_key.as_str() == RESOLVED {
                settled.replays.extend(dead_letter::replayed(&message.delivery.properties));
            }
            last = Some(message.delivery.acker);
        }
        let Some(last) = last else { break };
        store.settle(&settled, publisher.clock().now()).await?;
        // All in one: of hundreds of single acknowledgements the broker tells a quorum queue some at a time, and forgets
        // the rest when the channel closes.
        last.ack(BasicAckOptions { multiple: true }).await?;
    }
    channel.close(200, "drained".into()).await?;
    Ok(true)
}
