//! The ledger of dead letters, kept and compared with what really lies in the queues.

use std::{collections::HashMap, time::Duration};

use shared::{
    clock::Clock,
    failure::Failure,
    ledger::Letter,
    runtime::{Outbox, Stop, Wanted, keep_ledger},
    store::{Reconciled, Store},
    topology::{LEDGER, STAGES, StageInfo},
    work,
};
use tokio::time::sleep;

/// How often the ledger is compared with the queues.
const COMPARE_EVERY: Duration = Duration::from_secs(10);
/// Every how-manieth comparison looks into every queue: equal counts may hide different letters.
const THOROUGH_EVERY: u32 = 60;

/// Keeps the ledger until told to stop.
pub(crate) async fn keep(store: &Store, clock: &Clock, outbox: &Outbox, stop: &Stop) {
    let compared = async {
        let mut seen = Drift::new();
        for round in 0_u32.. {
            if stop.is_requested() {
                return;
            }
            let thorough = round % THOROUGH_EVERY == 0;
            if let Err(failure) = compare(store, clock, outbox, &mut seen, thorough).await {
                tracing::warn!(code = failure.code, "the ledger is not compared with the queues: {failure}");
            }
            tokio::select! {
                () = stop.requested() => {}
                () = sleep(COMPARE_EVERY) => {}
            }
        }
    };
    tokio::join!(keep_ledger(store, outbox, stop), compared);
}

/// Queues that differed from the ledger when they were compared last: how many letters lay there, how many were written.
type Drift = HashMap<String, (i64, i64)>;

/// Compares each dead-letter queue with the ledger, and mends the ledger where they differ. Costs a count; a queue is
/// opened when the counts differ in the same way twice, which they do not while letters come and go, and all are when
/// `thorough`.
async fn compare(
    store: &Store,
    clock: &Clock,
    outbox: &Outbox,
    seen: &mut Drift,
    thorough: bool,
) -> Result<(), Failure> {
    store.release_for_build(env!("CARGO_PKG_VERSION"), clock.now()).await?;
    work::finish_interrupted(store, outbox, clock).await?;
    let depths = outbox.depths().await?;
    let depth = |queue: &str| depths.iter().find(|depth| depth.name == queue).and_then(|depth| depth.ready);
    if depth(LEDGER).is_some_and(|copies| copies > 0) {
        // The ledger is behind and catching up: what it does not know yet is no drift.
        return Ok(());
    }
    let known = store.letters_by_queue().await?;
    for stage in STAGES {
        let queue = stage.dead();
        let written = known.iter().find(|(name, _)| *name == queue).map_or(0, |(_, letters)| *letters);
        let lie = i64::from(depth(&queue).unwrap_or_default());
        let before = seen.remove(&queue);
        if thorough || (lie != written && before == Some((lie, written))) {
            mend(store, clock, outbox, stage).await?;
        } else if lie != written {
            seen.insert(queue, (lie, written));
        }
    }
    Ok(())
}

/// Opens a queue and makes it and the ledger agree.
async fn mend(store: &Store, clock: &Clock, outbox: &Outbox, stage: StageInfo) -> Result<(), Failure> {
    let queue = stage.dead();
    let since = clock.now();
    let known = store.letters_known(&queue).await?;
    let graveyard = outbox.open_dead_letters(stage, Wanted::All { known: &known }).await?;
    let present: Vec<&Letter> = graveyard.letters().collect();
    let found = store.reconcile(&queue, &present, since).await?;
    for place in found.copies.iter().chain(&found.left_over) {
        tracing::info!(
            queue,
            letter = present[*place].letter,
            "a copy of a letter that is accounted for is removed"
        );
        graveyard.remove(*place).await?;
    }
    graveyard.close().await?;
    let Reconciled { unknown, vanished, .. } = found;
    if unknown + vanished > 0 {
        tracing::warn!(
            queue,
            unknown,
            vanished,
            "{queue}: {unknown} letters were not in the ledger, {vanished} are gone"
        );
    }
    Ok(())
}
