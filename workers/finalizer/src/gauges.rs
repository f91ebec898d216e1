//! Tells how the flow moves, as metrics. Every finalizer tells the same.

use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::gauge;
use shared::{
    clock::Clock,
    failure::Failure,
    measure::{CHUNK_AGE, LAST_SUCCESS, SLOT_LAG, STREAMS},
    runtime::Stop,
    store::Store,
    topology::{CHANNEL_ENRICHER, FINALIZER, GAME_ENRICHER},
};
use tokio::time::sleep;

/// How often the database is asked. A look is one short statement.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Looks until told to stop.
pub(crate) async fn watch(store: &Store, clock: &Clock, stop: &Stop) {
    while !stop.is_requested() {
        if let Err(failure) = look(store, clock).await {
            tracing::warn!(code = failure.code, "nobody sees how the flow moves: {failure}");
        }
        tokio::select! {
            () = stop.requested() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

async fn look(store: &Store, clock: &Clock) -> Result<(), Failure> {
    let now = clock.now();
    let progress = store.progress().await?;
    if let Some((streams, completed)) = progress.last_success {
        gauge!(STREAMS).set(streams);
        gauge!(LAST_SUCCESS).set(seconds(DateTime::UNIX_EPOCH, completed));
    }
    if let Some((slot, started)) = progress.last_slot {
        gauge!(SLOT_LAG).set(seconds(slot, started));
    }
    let stages = [GAME_ENRICHER.info().name, CHANNEL_ENRICHER.info().name, FINALIZER.info().name];
    for (stage, since) in stages.into_iter().zip(progress.waiting) {
        gauge!(CHUNK_AGE, "stage" => stage).set(since.map_or(0.0, |since| seconds(since, now)));
    }
    Ok(())
}

/// From one to the other; nothing where clocks disagree.
fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).to_std().map_or(0.0, |duration| duration.as_secs_f64())
}
