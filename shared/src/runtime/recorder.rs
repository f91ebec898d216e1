//! Keeps the dead-letter store: every dead letter is copied to one queue, and written down from there.
//!
//! Written down first, acknowledged then; writing one down twice changes nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{FutureExt, StreamExt};
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Announcer, Works, consumer::broken, dead_letter, headers::header, publisher::Publisher};
use crate::{
    dead_letter::{DeadLetterStore, Entry},
    failure::{Class, Failure},
    topology::{DEAD_LETTER_RECORDS, RESOLVED},
};

/// Copies in hand at once: one statement writes down as many.
const PREFETCH: u16 = 200;
/// After so long without a copy the recorder counts as working: there is nothing to record.
const IDLE: Duration = Duration::from_secs(5);

/// Records what is told of dead letters until told to stop. Fails when the broker or the dead-letter store does; what was not recorded
/// is still in its queue then.
pub async fn record_dead_letters(
    store: &dyn DeadLetterStore,
    announcer: &Announcer,
    works: &Works,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let publisher = announcer.publisher().await?;
    publisher.connection().unless_severed(keep(store, &publisher, works, stop)).await?
}

/// Ends with trouble, or once it is time to stop and nothing is left in hand.
async fn keep(
    store: &dyn DeadLetterStore,
    publisher: &Publisher,
    works: &Works,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let channel = publisher.connection().amqp().create_channel().await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut consumer =
        channel.basic_consume(DEAD_LETTER_RECORDS.into(), "".into(), options, FieldTable::default()).await?;
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return Ok(channel.close(200, "stopping".into()).await?),
            next = consumer.next() => next,
            () = sleep(IDLE) => {
                works.succeeded();
                continue;
            }
        };
        let mut latest =
            next.ok_or_else(|| broken("the broker cancelled the dead-letter store's consumer"))??;
        let mut entries = Vec::from_iter(entry(&latest, publisher));
        while let Some(Some(delivery)) = consumer.next().now_or_never() {
            latest = delivery?;
            entries.extend(entry(&latest, publisher));
        }
        record(store, &entries, publisher.clock().now()).await?;
        // All in one: of hundreds of single acknowledgements the broker tells a quorum queue some at a time, and forgets
        // the rest when the channel closes.
        latest.acker.ack(BasicAckOptions { multiple: true }).await?;
        works.succeeded();
    }
}

/// Writes entries down. One that can never be written must not keep the others waiting: it is told in the log, and its
/// dead letter still lies in its queue.
async fn record(store: &dyn DeadLetterStore, entries: &[Entry], now: DateTime<Utc>) -> Result<(), Failure> {
    match store.record(entries, now).await {
        Err(failure) if failure.class == Class::Permanent => {}
        other => return other,
    }
    for entry in entries {
        match store.record(std::slice::from_ref(entry), now).await {
            Err(failure) if failure.class == Class::Permanent => {
                tracing::error!(
                    code = failure.code,
                    ?entry,
                    "the dead-letter store cannot hold this: {failure}"
                );
            }
            other => other?,
        }
    }
    Ok(())
}

fn entry(delivery: &Delivery, publisher: &Publisher) -> Option<Entry> {
    let now = publisher.clock().now();
    if delivery.routing_key.as_str() == RESOLVED {
        let headers = delivery.properties.headers().clone().unwrap_or_default();
        let build = dead_letter::text(&headers, header::BUILD).unwrap_or_default();
        return dead_letter::replayed(&delivery.properties).map(|replayed| Entry::Resolved {
            replayed,
            build,
            at: now,
        });
    }
    Some(Entry::Failed(Box::new(dead_letter::read(delivery, delivery.routing_key.as_str(), now))))
}
