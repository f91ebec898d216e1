//! Tells how the flow moves, as metrics. Every finalizer tells the same.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use metrics::gauge;
use shared::{
    failure::Failure,
    metrics::{CHUNK_AGE, LAST_SUCCESS, RETRY_AGE, SLOT_LAG, STREAMS},
    topology::{EXPORTER, STAGES, all_stages},
};

use crate::background::Background;

/// Asks the database once, in a few short statements.
pub(crate) async fn look(all: Arc<Background>) -> Result<(), Failure> {
    let now = all.clock.now();
    let progress = all.store.progress().await?;
    if let Some((streams, completed)) = progress.last_success {
        gauge!(STREAMS).set(streams);
        gauge!(LAST_SUCCESS).set(seconds(DateTime::UNIX_EPOCH, completed));
    }
    if let Some((slot, started)) = progress.last_slot {
        gauge!(SLOT_LAG).set(seconds(slot, started));
    }
    for (stage, since) in STAGES.into_iter().zip(progress.waiting) {
        gauge!(CHUNK_AGE, "stage" => stage.name).set(age(since, now));
    }
    let unexported = all.store.oldest_unexported(now).await?;
    gauge!(CHUNK_AGE, "stage" => EXPORTER.info().name).set(age(unexported, now));
    let retries = all.store.oldest_retries().await?;
    for stage in all_stages() {
        let oldest = retries.iter().find(|(name, _)| name == stage.name).map(|(_, since)| *since);
        gauge!(RETRY_AGE, "stage" => stage.name).set(age(oldest, now));
    }
    Ok(())
}

/// How long that is ago; nothing where nothing waits.
fn age(since: Option<DateTime<Utc>>, now: DateTime<Utc>) -> f64 {
    since.map_or(0.0, |since| seconds(since, now))
}

/// From one to the other; nothing where clocks disagree.
fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).to_std().map_or(0.0, |duration| duration.as_secs_f64())
}
