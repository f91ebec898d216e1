//! Tells when something is the matter with the dead letters: as a metric, as a row in `alarm`, and in the log.

use std::time::Duration;

use metrics::{counter, gauge};
use shared::{
    clock::Clock,
    failure::Failure,
    measure::{DEAD_LETTER_ALARMS, DEAD_LETTER_OLDEST_AGE, DEAD_LETTERS},
    runtime::Stop,
    store::{AlarmLimits, Store},
    topology::{STAGES, StageInfo},
};
use tokio::time::sleep;

/// How often the ledger is looked at. A look is one short transaction.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Looks until told to stop.
pub(crate) async fn watch(store: &Store, clock: &Clock, limits: AlarmLimits, stop: &Stop) {
    let queues: Vec<String> = STAGES.iter().map(StageInfo::dead).collect();
    while !stop.is_requested() {
        if let Err(failure) = look(store, clock, limits, &queues).await {
            tracing::warn!(code = failure.code, "nobody looks at the dead letters: {failure}");
        }
        tokio::select! {
            () = stop.requested() => {}
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; letters and seconds stay far below 2^52")]
async fn look(store: &Store, clock: &Clock, limits: AlarmLimits, queues: &[String]) -> Result<(), Failure> {
    let now = clock.now();
    let (depths, alarms) = store.raise_alarms(queues, limits, now).await?;
    for depth in depths {
        let age = depth.oldest.map_or(0, |oldest| (now - oldest).num_seconds().max(0));
        gauge!(DEAD_LETTERS, "queue" => depth.queue.clone()).set(depth.letters as f64);
        gauge!(DEAD_LETTER_OLDEST_AGE, "queue" => depth.queue).set(age as f64);
    }
    for alarm in alarms {
        counter!(DEAD_LETTER_ALARMS, "queue" => alarm.queue.clone(), "kind" => alarm.kind.clone())
            .increment(1);
        tracing::error!(
            queue = alarm.queue,
            kind = alarm.kind,
            "alarm: dead letters in {}: {}",
            alarm.queue,
            alarm.detail
        );
    }
    Ok(())
}
