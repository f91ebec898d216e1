//! Tells when something is the matter with the dead letters: as a metric, as a row in `alarm`, and in the log.

use std::sync::Arc;

use metrics::{counter, gauge};
use shared::{
    failure::Failure,
    metrics::{DEAD_LETTER_ALARMS, DEAD_LETTER_OLDEST_AGE, DEAD_LETTERS},
    topology::all_stages,
};

use crate::background::Background;

/// Looks how many dead letters there are. One short transaction.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; dead letters and seconds stay far below 2^52"
)]
pub(crate) async fn look(all: Arc<Background>) -> Result<(), Failure> {
    let queues: Vec<String> = all_stages().map(|stage| stage.dead()).collect();
    let now = all.clock.now();
    let (depths, alarms) = all.store.raise_alarms(&queues, all.alarms, now).await?;
    for depth in depths {
        let age = depth.oldest.map_or(0, |oldest| (now - oldest).num_seconds().max(0));
        gauge!(DEAD_LETTERS, "queue" => depth.queue.clone()).set(depth.dead_letters as f64);
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
