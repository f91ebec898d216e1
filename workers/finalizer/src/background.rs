//! What the finalizer does beside its messages.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use shared::{
    clock::Clock,
    failure::Failure,
    runtime::{Announcer, Duty, every, lasting, record_dead_letters, sharing},
    store::{AlarmLimits, Store},
    version::Version,
    work,
};
use tokio::time::Instant;

use crate::{alarms, dead_letters, gauges, watch};

/// How often most of it is done: each run is a question or two.
const OFTEN: Duration = Duration::from_secs(10);
/// How often is done what nobody waits for.
const SELDOM: Duration = Duration::from_mins(1);
/// How long a dead-letter queue of any length may be compared with the table.
const LONGEST_COMPARISON: Duration = Duration::from_mins(15);

/// What the duties work with.
pub(crate) struct Background {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) announcer: Announcer,
    pub(crate) stalled_after: Duration,
    pub(crate) alarms: AlarmLimits,
    /// Whether the ends of pulls that were closed lately were announced again since the watch last failed.
    pub(crate) closings_told: AtomicBool,
    /// Dead letters in each queue and rows of each at the last comparison that left them different.
    pub(crate) compared: Mutex<HashMap<String, (i64, i64)>>,
    /// When every queue was last compared in full, or this process began.
    pub(crate) thorough_at: Mutex<Instant>,
}

impl Background {
    /// With all that is remembered from run to run at its beginning.
    pub(crate) fn new(
        store: Store,
        clock: Clock,
        announcer: Announcer,
        stalled_after: Duration,
        alarms: AlarmLimits,
    ) -> Self {
        Self {
            store,
            clock,
            announcer,
            stalled_after,
            alarms,
            closings_told: AtomicBool::new(false),
            compared: Mutex::default(),
            thorough_at: Mutex::new(Instant::now()),
        }
    }

    /// The duties. Those that need to be done by one replica only are elected, run by run; gauges are told by each.
    pub(crate) fn duties(self) -> Vec<Duty> {
        let all = Arc::new(self);
        let recorder = Arc::clone(&all);
        vec![
            every(watch::period(all.stalled_after), "stall-watch", sharing(&all, watch::look)),
            lasting("dead-letter-recorder", move |works, stop| {
                let all = Arc::clone(&recorder);
                async move { record_dead_letters(&all.store, &all.announcer, &works, &stop).await }
            }),
            every(OFTEN, "dead-letter-reconciliation", sharing(&all, dead_letters::reconcile))
                .within(LONGEST_COMPARISON),
            every(OFTEN, "interrupted-replays", sharing(&all, finish_replays)).within(LONGEST_COMPARISON),
            every(SELDOM, "build-releases", sharing(&all, release_for_build)),
            every(OFTEN, "dead-letter-alarms", sharing(&all, alarms::look)),
            every(OFTEN, "flow-gauges", sharing(&all, gauges::look)),
            every(SELDOM, "claim-sweep", sharing(&all, sweep_claims)),
        ]
    }
}

/// Finishes replays whose process died.
async fn finish_replays(all: Arc<Background>) -> Result<(), Failure> {
    // Large, and seldom needed.
    let finish = Box::pin(work::finish_interrupted(&all.store, &all.announcer, &all.clock));
    all.store.if_elected("interrupted-replays", finish).await?;
    Ok(())
}

/// Releases dead letters that were held until this build, or an older one, is here.
async fn release_for_build(all: Arc<Background>) -> Result<(), Failure> {
    let build = Version::current();
    let release = all.store.release_for_build(&build, all.clock.now());
    all.store.if_elected("build-releases", release).await?;
    Ok(())
}

/// Removes claims of processes that died.
async fn sweep_claims(all: Arc<Background>) -> Result<(), Failure> {
    let sweep = all.store.sweep_claims(all.clock.now());
    all.store.if_elected("claim-sweep", sweep).await?;
    Ok(())
}
