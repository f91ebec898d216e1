//! Removes what is past its time, once a day.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use shared::{failure::Failure, retention};

use crate::background::Background;

/// How often to look whether a run is due.
pub(crate) const LOOK_EVERY: Duration = Duration::from_mins(10);
/// Most time for one run: what is left then is removed by the next.
pub(crate) const LONGEST_RUN: Duration = Duration::from_mins(30);

/// Looks whether a run is due, and if so, makes it. Mostly one question.
pub(crate) async fn look(all: Arc<Background>) -> Result<(), Failure> {
    if !all.owner.owns_tables().await? {
        if !all.retention_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "retention is not carried out: the user of RETENTION_DATABASE_URL, or else of DATABASE_URL, does not own the tables"
            );
        }
        return Ok(());
    }
    let removed = retention::apply_if_due(&all.owner, &all.clock, "finalizer").await?;
    for removed in removed.into_iter().flatten() {
        let (class, rows, days) = (&removed.class, removed.rows, removed.days.len());
        if rows > 0 || days > 0 {
            tracing::info!(class, rows, days, "retention: removed {rows} rows and {days} days of {class}");
        }
        for kept in removed.kept {
            let (day, why) = (kept.day, kept.why);
            tracing::warn!(class, "retention: {class} of {day} stay: {why}");
        }
    }
    Ok(())
}
