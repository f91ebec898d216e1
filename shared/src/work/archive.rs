//! Letters that leave their queue for the archive, come back from it, or come from elsewhere.
//!
//! Always the ledger first and the queue second. What a crash leaves between the two is found by the finalizer's
//! comparison: a discarded letter that still lies in its queue is taken out, one that was to lie there and does not is
//! noted as vanished, and can be restored. The body is in the ledger all the time.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{
    clock::Clock,
    failure::Failure,
    ledger::{Archived, Letter},
    runtime::Outbox,
    store::{LetterFilter, Store},
    topology::{STAGES, StageInfo},
};

/// Letters moved in one go.
const AT_ONCE: i64 = 500;

/// Discards the letters meant: they are kept in the ledger, and taken out of their queues. Returns how many.
pub async fn discard(
    store: &Store,
    outbox: &Outbox,
    clock: &Clock,
    filter: &LetterFilter,
    by: &str,
) -> Result<usize, Failure> {
    let groups = store.letter_groups(filter).await?;
    let stages: BTreeSet<&str> = groups.iter().map(|group| group.stage.as_str()).collect();
    await_queues(outbox, stages.into_iter().filter_map(StageInfo::find)).await?;
    let mut discarded = 0;
    loop {
        let letters = store.discard_letters(filter, AT_ONCE, by, clock.now()).await?;
        if letters.is_empty() {
            return Ok(discarded);
        }
        discarded += letters.len();
        let mut by_queue: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
        for letter in &letters {
            by_queue.entry(&letter.queue).or_default().insert(&letter.letter);
        }
        for (queue, names) in by_queue {
            if let Some(stage) = stage_of(queue) {
                take_out(outbox, stage, &names).await?;
            }
        }
    }
}

/// Waits a few seconds until nobody else has the dead-letter queues of these stages open, and fails otherwise: who cannot take
/// anything out of a queue should not begin.
pub(super) async fn await_queues(
    outbox: &Outbox,
    stages: impl Iterator<Item = StageInfo>,
) -> Result<(), Failure> {
    for stage in stages {
        outbox.open_dead_letters(stage).await?.close().await?;
    }
    Ok(())
}

async fn take_out(outbox: &Outbox, stage: StageInfo, names: &HashSet<&str>) -> Result<(), Failure> {
    let mut graveyard = outbox.open_dead_letters(stage).await?;
    graveyard.find(names).await?;
    for place in 0..graveyard.letters().len() {
        graveyard.remove(place).await?;
    }
    graveyard.close().await
}

/// Brings discarded or vanished letters back into their queues, as they were. Returns their numbers.
pub async fn restore(
    store: &Store,
    outbox: &Outbox,
    clock: &Clock,
    ids: &[i64],
    by: &str,
) -> Result<Vec<i64>, Failure> {
    let mut restored = Vec::new();
    loop {
        let letters = store.restore_letters(ids, AT_ONCE, by, clock.now()).await?;
        if letters.is_empty() {
            return Ok(restored);
        }
        lay_down(outbox, &letters).await?;
        restored.extend(letters.iter().map(|letter| letter.id));
    }
}

/// Takes letters from elsewhere in, but for those that lie in their queues already. Returns the numbers of the new.
pub async fn import(
    store: &Store,
    outbox: &Outbox,
    clock: &Clock,
    letters: &[Letter],
    by: &str,
) -> Result<Vec<i64>, Failure> {
    let mut new = Vec::new();
    for letters in letters.chunks(usize::try_from(AT_ONCE).unwrap_or(1)) {
        let letters = store.import_letters(letters, by, clock.now()).await?;
        lay_down(outbox, &letters).await?;
        new.extend(letters.iter().map(|letter| letter.id));
    }
    Ok(new)
}

async fn lay_down(outbox: &Outbox, letters: &[Archived]) -> Result<(), Failure> {
    if let Some(lost) = letters.iter().find(|letter| stage_of(&letter.queue).is_none()) {
        let why = format!("letter {} lay in {}, which this build does not have", lost.id, lost.queue);
        return Err(Failure::permanent("dead_letters.no_queue", why));
    }
    outbox.lay_down(letters).await
}

fn stage_of(queue: &str) -> Option<StageInfo> {
    STAGES.into_iter().find(|stage| stage.dead() == queue)
}
