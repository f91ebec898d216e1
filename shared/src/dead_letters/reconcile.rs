//! Queue and table of dead letters, compared.
//!
//! Counts are compared; a queue is opened when they differ for a while, and once a day, because equal counts may hide
//! different dead letters. It is read page by page and marked in the table, so that memory is bounded however many dead
//! letters there are. Who takes messages out of a dead-letter queue with another tool, a broker that drops them, or one that
//! dead-letters by itself makes the two differ; our own workers do so only by dying.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use crate::{
    clock::Clock,
    dead_letter::DeadLetter,
    failure::Failure,
    runtime::{Announcer, DeadLetterQueue},
    store::Store,
    topology::{StageInfo, all_stages},
};

/// A difference that is gone after this was dead letters coming or going.
const LASTING: Duration = Duration::from_secs(2);
/// How often every queue is compared in full.
const THOROUGH_EVERY: Duration = Duration::from_hours(24);

/// Dead letters in a queue, and rows that say so.
type Counts = (i64, i64);

/// Makes table and queues agree, run by run.
pub(super) struct Reconciliation {
    store: Store,
    announcer: Announcer,
    clock: Clock,
    memory: Mutex<Memory>,
}

/// What is remembered from run to run.
struct Memory {
    /// The counts of each queue that was looked into and still differs.
    known: HashMap<String, Counts>,
    /// When every queue was last compared in full, or this process began.
    thorough_at: Instant,
}

impl Reconciliation {
    pub(super) fn new(store: Store, announcer: Announcer, clock: Clock) -> Self {
        let memory = Memory { known: HashMap::new(), thorough_at: Instant::now() };
        Self { store, announcer, clock, memory: Mutex::new(memory) }
    }

    /// Compares, where this is the replica that is elected to do it.
    pub(super) async fn run(&self) -> Result<(), Failure> {
        self.store.if_elected("dead-letter-reconciliation", self.compare()).await?;
        Ok(())
    }

    async fn compare(&self) -> Result<(), Failure> {
        let mut memory = self.memory.lock().await;
        let thorough = memory.thorough_at.elapsed() >= THOROUGH_EVERY;
        let before = self.counts().await?;
        if !thorough && !before.iter().any(|(queue, counts)| memory.is_news(queue, *counts)) {
            return Ok(());
        }
        sleep(LASTING).await;
        let counts = self.counts().await?;
        for stage in all_stages().filter(|stage| stage.event.is_none() || counts.contains_key(&stage.dead()))
        {
            let queue = stage.dead();
            let lasting = counts.get(&queue).filter(|counts| before.get(&queue) == Some(*counts)).copied();
            let news = lasting.filter(|counts| memory.is_news(&queue, *counts));
            if !thorough && news.is_none() {
                continue;
            }
            match self.look_into(stage).await {
                Err(failure) if DeadLetterQueue::is_in_use(&failure) => continue,
                done => done?,
            }
            memory.known.extend(news.map(|counts| (queue, counts)));
        }
        if thorough {
            memory.thorough_at = Instant::now();
        }
        Ok(())
    }

    /// The counts of each queue that is there.
    async fn counts(&self) -> Result<HashMap<String, Counts>, Failure> {
        let rows = self.store.queued_dead_letters().await?;
        let depths = self.announcer.depths().await?;
        let ready: HashMap<String, u32> =
            depths.into_iter().filter_map(|depth| Some((depth.name, depth.ready?))).collect();
        let counts = all_stages().map(|stage| stage.dead()).filter_map(|queue| {
            let counts = (i64::from(*ready.get(&queue)?), rows.get(&queue).copied().unwrap_or_default());
            Some((queue, counts))
        });
        Ok(counts.collect())
    }

    /// Reads a queue to its end, and makes it and the table agree.
    async fn look_into(&self, stage: StageInfo) -> Result<(), Failure> {
        let (queue, since) = (stage.dead(), self.clock.now());
        let mut dead_letter_queue = self.announcer.open_dead_letters(stage).await?;
        let (mut unknown, mut removed) = (0, 0);
        while dead_letter_queue.turn_page().await? {
            let page: Vec<&DeadLetter> = dead_letter_queue.letters().collect();
            let compared = self.store.compare_page(&queue, since, &page).await?;
            unknown += compared.unknown;
            for place in compared.copies.iter().chain(&compared.left_over) {
                dead_letter_queue.remove(*place).await?;
                removed += 1;
            }
        }
        dead_letter_queue.close().await?;
        let vanished = self.store.note_vanished(&queue, since).await?;
        if unknown + vanished + removed > 0 {
            tracing::warn!(
                queue,
                unknown,
                vanished,
                removed,
                "{queue}: recorded {unknown} dead letters without a row, noted {vanished} as vanished, and removed \
                 {removed} that are accounted for"
            );
        }
        Ok(())
    }
}

impl Memory {
    /// Whether counts differ, and did not differ in the same way after they were last looked into.
    fn is_news(&self, queue: &str, counts: Counts) -> bool {
        counts.0 != counts.1 && self.known.get(queue) != Some(&counts)
    }
}
