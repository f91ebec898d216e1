//! Removes what is past its time, once a day.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use shared::{
    clock::Clock,
    failure::Failure,
    retention,
    runtime::{Duty, every, sharing},
    store::Store,
};

/// How often to look whether a run is due.
const LOOK_EVERY: Duration = Duration::from_mins(10);
/// Most time for one run: what is left then is removed by the next.
const LONGEST_RUN: Duration = Duration::from_mins(30);

struct Retention {
    owner: Store,
    clock: Clock,
    /// Whether it was told that the rights are lacking.
    told: AtomicBool,
}

/// The duty; `owner` is the database with the rights of the tables' owner, where they were given.
pub(crate) fn duty(owner: Store, clock: Clock) -> Duty {
    let retention = Arc::new(Retention { owner, clock, told: AtomicBool::new(false) });
    every(LOOK_EVERY, "retention", sharing(&retention, look)).within(LONGEST_RUN)
}

/// Looks whether a run is due, and if so, makes it. Mostly two short questions.
async fn look(all: Arc<Retention>) -> Result<(), Failure> {
    if !all.owner.owns_tables().await? {
        if !all.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "retention is not carried out: the user of RETENTION_DATABASE_URL, or else of DATABASE_URL, does not own the \
                 tables"
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
            tracing::warn!(class, "retention: {class} of {} stay: {}", kept.day, kept.why);
        }
    }
    Ok(())
}
