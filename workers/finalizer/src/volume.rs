//! Tells when a whole pull has far fewer streams than is usual at its hour.

use std::sync::Arc;

use chrono::TimeDelta;
use shared::failure::Failure;

use crate::background::Background;

/// Pulls that ended so long ago are judged, should nobody have looked meanwhile.
const LOOK_BACK: TimeDelta = TimeDelta::hours(1);

/// Judges the pulls that ended lately. One statement; each pull is told of once.
pub(crate) async fn look(all: Arc<Background>) -> Result<(), Failure> {
    let now = all.clock.now();
    let raised = all.store.raise_volume_alarms(now - LOOK_BACK, now);
    for (pull, detail) in all.store.if_elected("volume-baseline", raised).await?.unwrap_or_default() {
        tracing::error!(pull = pull.0, code = "pull.volume", "alarm: {detail}");
    }
    Ok(())
}
