//! What the finalizer's duties work with.

use std::{sync::atomic::AtomicBool, time::Duration};

use shared::{
    clock::Clock,
    runtime::Announcer,
    store::{AlarmLimits, Store},
};

/// What the duties work with.
pub(crate) struct Background {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) announcer: Announcer,
    pub(crate) stalled_after: Duration,
    pub(crate) alarms: AlarmLimits,
    /// Whether the ends of pulls that were closed lately were announced again since the watch last failed.
    pub(crate) closings_told: AtomicBool,
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
        Self { store, clock, announcer, stalled_after, alarms, closings_told: AtomicBool::new(false) }
    }
}
