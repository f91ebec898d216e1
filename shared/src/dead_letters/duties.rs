//! What keeps the dead-letter store and the dead-letter queues in order, whether or not anybody looks.
//!
//! It reads whole queues, so it belongs to a program that has time: the extractor, which mostly waits for Twitch.

use std::{sync::Arc, time::Duration};

use super::{interrupted::finish_interrupted, reconcile::Reconciliation};
use crate::{
    clock::Clock,
    failure::Failure,
    runtime::{Announcer, Duty, every, scheduled, sharing, understand_older_builds},
    store::Store,
};

/// How often most of it is done: each run is a question or two.
const OFTEN: Duration = Duration::from_secs(10);
/// How long a dead-letter queue of any length may take.
const LONGEST_RUN: Duration = Duration::from_mins(15);

/// The duties; of several replicas one is elected, run by run.
pub fn duties(store: &Store, announcer: &Announcer, clock: &Clock) -> Vec<Duty> {
    let reconciliation = Reconciliation::new(store.clone(), announcer.clone(), clock.clone());
    let all = Arc::new((store.clone(), announcer.clone(), clock.clone()));
    vec![
        every(OFTEN, "dead-letter-reconciliation", sharing(&Arc::new(reconciliation), reconcile))
            .within(LONGEST_RUN),
        every(OFTEN, "interrupted-replays", sharing(&all, finish_replays)).within(LONGEST_RUN),
        scheduled("dead-letters-of-older-builds", sharing(&all, older_builds)),
    ]
}

async fn reconcile(reconciliation: Arc<Reconciliation>) -> Result<(), Failure> {
    reconciliation.run().await
}

/// Finishes replays whose process died.
async fn finish_replays(all: Arc<(Store, Announcer, Clock)>) -> Result<(), Failure> {
    let (store, announcer, clock) = &*all;
    // Large, and seldom needed.
    let finish = Box::pin(finish_interrupted(store, announcer, clock));
    store.if_elected("interrupted-replays", finish).await?;
    Ok(())
}

async fn older_builds(all: Arc<(Store, Announcer, Clock)>) -> Result<Duration, Failure> {
    let (store, announcer, _) = &*all;
    understand_older_builds(store, announcer).await
}
