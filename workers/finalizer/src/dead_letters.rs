//! The table of dead letters, compared with what really is in their queues.
//!
//! Counts are compared; a queue is opened when they differ for a while, and once an hour, because equal counts may hide
//! different dead letters. It is read page by page, so that memory is bounded however many there are.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError},
    time::Duration,
};

use shared::{
    dead_letter::DeadLetter,
    failure::Failure,
    runtime::DeadLetterQueue,
    store::QueueContents,
    topology::{DEAD_LETTER_RECORDS, STAGES, StageInfo},
};
use tokio::time::{Instant, sleep};

use crate::background::Background;

/// A difference that is gone after this was dead letters coming or going.
const LASTING: Duration = Duration::from_secs(2);
/// How often every queue is compared in full.
const THOROUGH_EVERY: Duration = Duration::from_hours(1);
/// Dead letters in memory at once.
const PAGE: usize = 500;

/// Compares each dead-letter queue with the table, and makes the table right where they differ.
pub(crate) async fn reconcile(all: Arc<Background>) -> Result<(), Failure> {
    all.store.if_elected("dead-letter-reconciliation", compare(&all)).await?;
    Ok(())
}

async fn compare(all: &Background) -> Result<(), Failure> {
    let thorough = lock(&all.thorough_at).elapsed() >= THOROUGH_EVERY;
    let first = counts(all).await?;
    if !thorough && !first.iter().any(|(queue, counts)| is_news(all, queue, *counts)) {
        return Ok(());
    }
    sleep(LASTING).await;
    let second = counts(all).await?;
    for stage in STAGES {
        let queue = stage.dead();
        let counts = second.get(&queue).copied();
        let differs =
            counts.filter(|counts| first.get(&queue) == Some(counts) && is_news(all, &queue, *counts));
        if !thorough && differs.is_none() {
            continue;
        }
        match look_into(all, stage).await {
            Err(failure) if DeadLetterQueue::is_in_use(&failure) => continue,
            done => done?,
        }
        lock(&all.compared).extend(differs.map(|counts| (queue, counts)));
    }
    if thorough {
        *lock(&all.thorough_at) = Instant::now();
    }
    Ok(())
}

/// How many dead letters are in each queue, and how many rows say so. Nothing while the recorder is behind: what it does not
/// know yet is no difference.
async fn counts(all: &Background) -> Result<BTreeMap<String, (i64, i64)>, Failure> {
    let depths = all.announcer.depths().await?;
    let ready: HashMap<&str, u32> =
        depths.iter().filter_map(|depth| Some((depth.name.as_str(), depth.ready?))).collect();
    if ready.get(DEAD_LETTER_RECORDS).is_some_and(|copies| *copies > 0) {
        return Ok(BTreeMap::new());
    }
    let rows: HashMap<String, i64> = all.store.dead_letters_by_queue().await?.into_iter().collect();
    let queues = STAGES.iter().map(StageInfo::dead);
    let counted = queues.filter_map(|queue| {
        let there = i64::from(*ready.get(queue.as_str())?);
        let rows = rows.get(&queue).copied().unwrap_or_default();
        Some((queue, (there, rows)))
    });
    Ok(counted.collect())
}

/// Whether counts differ, and did not differ in the same way after they were last looked into.
fn is_news(all: &Background, queue: &str, counts: (i64, i64)) -> bool {
    counts.0 != counts.1 && lock(&all.compared).get(queue) != Some(&counts)
}

/// Reads a queue to its end, and makes it and the table agree.
async fn look_into(all: &Background, stage: StageInfo) -> Result<(), Failure> {
    let queue = stage.dead();
    let mut contents = QueueContents::nothing(&queue, all.clock.now());
    let mut dead_letter_queue = all.announcer.open_dead_letters(stage).await?;
    let (mut unknown, mut removed) = (0, 0);
    while dead_letter_queue.turn_page(PAGE).await? {
        let page: Vec<&DeadLetter> = dead_letter_queue.letters().collect();
        let compared = all.store.compare_page(&mut contents, &page).await?;
        unknown += compared.unknown;
        for place in compared.copies.iter().chain(&compared.left_over) {
            dead_letter_queue.remove(*place).await?;
            removed += 1;
        }
    }
    dead_letter_queue.close().await?;
    let vanished = all.store.note_vanished(&contents).await?;
    if unknown + vanished + removed > 0 {
        tracing::warn!(
            queue,
            unknown,
            vanished,
            removed,
            "{queue}: {unknown} dead letters were not recorded, {vanished} have vanished, {removed} that are accounted for \
             were removed"
        );
    }
    Ok(())
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
