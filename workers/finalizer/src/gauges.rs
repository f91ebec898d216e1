//! Tells how the flow moves, as metrics. Every finalizer tells the same.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use metrics::gauge;
use shared::{
    failure::Failure,
    metrics::{CHUNK_AGE, LAST_SUCCESS, SLOT_LAG, STREAMS},
    topology::STAGES,
};

use crate::background::Background;

/// Asks the database once. One short statement.
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
        gauge!(CHUNK_AGE, "stage" => stage.name).set(since.map_or(0.0, |since| seconds(since, now)));
    }
    Ok(())
}

/// From one to the other; nothing where clocks disagree.
fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).to_std().map_or(0.0, |duration| duration.as_secs_f64())
}
