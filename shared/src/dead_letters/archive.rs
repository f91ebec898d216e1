//! Dead letters that leave their queue for the archive, come back from it, or come from elsewhere.
//!
//! Always the table first and the queue second. What a crash leaves between the two is found when they are compared: a
//! discarded dead letter that is still in its queue is taken out, one that should be there and is not is noted as vanished,
//! and can be restored. The body is in the table all the time.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{
    clock::Clock,
    dead_letter::{Archived, DeadLetter},
    failure::Failure,
    runtime::Announcer,
    store::{DeadLetterFilter, Store},
    topology::{StageInfo, all_stages},
};

/// Dead letters moved in one go.
const AT_ONCE: i64 = 500;

/// Discards the dead letters meant: they are kept in the dead-letter store, and taken out of their queues. Returns how many.
pub async fn discard(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    filter: &DeadLetterFilter,
    by: &str,
) -> Result<usize, Failure> {
    // Only where they are matters here, not how many.
    let groups = store.dead_letter_groups(filter, Some(0)).await?;
    let stages: BTreeSet<&str> = groups.iter().map(|group| group.stage.as_str()).collect();
    await_queues(announcer, stages.into_iter().filter_map(StageInfo::find)).await?;
    let mut discarded = 0;
    loop {
        let dead_letters = store.discard_dead_letters(filter, AT_ONCE, by, clock.now()).await?;
        if dead_letters.is_empty() {
            return Ok(discarded);
        }
        discarded += dead_letters.len();
        let mut by_queue: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
        for dead_letter in &dead_letters {
            by_queue.entry(&dead_letter.queue).or_default().insert(&dead_letter.letter);
        }
        for (queue, names) in by_queue {
            if let Some(stage) = stage_of(queue) {
                take_out(announcer, stage, &names).await?;
            }
        }
    }
}

/// Waits a few seconds until nobody else has the dead-letter queues of these stages open, and fails otherwise: who cannot take
/// anything out of a queue should not begin.
pub(super) async fn await_queues(
    announcer: &Announcer,
    stages: impl Iterator<Item = StageInfo>,
) -> Result<(), Failure> {
    for stage in stages {
        announcer.open_dead_letters(stage).await?.close().await?;
    }
    Ok(())
}

async fn take_out(announcer: &Announcer, stage: StageInfo, names: &HashSet<&str>) -> Result<(), Failure> {
    let mut dead_letter_queue = announcer.open_dead_letters(stage).await?;
    dead_letter_queue.find(names).await?;
    for place in 0..dead_letter_queue.letters().len() {
        dead_letter_queue.remove(place).await?;
    }
    dead_letter_queue.close().await
}

/// Brings discarded or vanished dead letters back into their queues, as they were. Returns their numbers.
pub async fn restore(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    ids: &[i64],
    by: &str,
) -> Result<Vec<i64>, Failure> {
    let mut restored = Vec::new();
    loop {
        let dead_letters = store.restore_dead_letters(ids, AT_ONCE, by, clock.now()).await?;
        if dead_letters.is_empty() {
            return Ok(restored);
        }
        lay_down(announcer, &dead_letters).await?;
        restored.extend(dead_letters.iter().map(|dead_letter| dead_letter.id));
    }
}

/// Takes dead letters from elsewhere in, but for those that lie in their queues already. Returns the numbers of the new.
pub async fn import(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    dead_letters: &[DeadLetter],
    by: &str,
) -> Result<Vec<i64>, Failure> {
    let mut new = Vec::new();
    for dead_letters in dead_letters.chunks(usize::try_from(AT_ONCE).unwrap_or(1)) {
        let dead_letters = store.import_dead_letters(dead_letters, by, clock.now()).await?;
        lay_down(announcer, &dead_letters).await?;
        new.extend(dead_letters.iter().map(|dead_letter| dead_letter.id));
    }
    Ok(new)
}

async fn lay_down(announcer: &Announcer, dead_letters: &[Archived]) -> Result<(), Failure> {
    if let Some(lost) = dead_letters.iter().find(|dead_letter| stage_of(&dead_letter.queue).is_none()) {
        let why = format!("dead letter {} lay in {}, which this build does not have", lost.id, lost.queue);
        return Err(Failure::permanent("dead_letters.no_queue", why));
    }
    announcer.lay_down(dead_letters).await
}

fn stage_of(queue: &str) -> Option<StageInfo> {
    all_stages().find(|stage| stage.dead() == queue)
}
