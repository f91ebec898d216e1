//! What health is judged by, and where it comes from.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    describe_failure::{advice, describe_failure},
    queues::{StageQueues, by_stage, count_rows, ready},
};
use crate::{
    failure::Failure,
    runtime::QueueDepth,
    steering::StagePause,
    store::{Alarm, MissedSlot, PullReport, RetryRow, Store, UnfinishedErasure, WorkerRow},
    topology::{REJECTED, all_stages},
};

/// How far back missed slots, alarms and vanished dead letters are reported.
const RECENT: TimeDelta = TimeDelta::days(1);
/// The most missed slots that are read.
const MOST_SLOTS: i64 = 1_000;
/// The most retried messages per stage that are read.
const MOST_RETRIES: i64 = 100;
/// The most alarms that are read.
const MOST_ALARMS: i64 = 100;
/// Dead letters of a queue are counted up to this: looking at many must not take longer.
const MOST_DEAD_LETTERS: i64 = 10_000;

/// Dead letters that are no longer in their queue, though no command of ours took them out.
#[derive(Debug, Clone)]
pub struct Vanished {
    /// Their stage.
    pub stage: String,
    /// How many.
    pub letters: i64,
}

/// What health is judged by. What is unavailable is empty, and its trouble says why.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Why the database cannot be used; none when it can.
    pub database_trouble: Option<String>,
    /// Why the broker cannot be used; none when it can.
    pub broker_trouble: Option<String>,
    /// Pulls that have not ended, oldest first.
    pub under_way: Vec<PullReport>,
    /// The pull that ended last.
    pub last_closed: Option<PullReport>,
    /// Slots of the last day at which no pull was started, newest first.
    pub missed_slots: Vec<MissedSlot>,
    /// Each stage's queues.
    pub stages: Vec<StageQueues>,
    /// The workers' states.
    pub workers: Vec<WorkerRow>,
    /// Workers that have been silent for half a minute and did not end.
    pub silent: Vec<WorkerRow>,
    /// The stages that people have paused.
    pub paused: Vec<StagePause>,
    /// Messages that are retried, the oldest of each stage.
    pub retries: Vec<RetryRow>,
    /// How many dead letters of each stage vanished from their queue in the last day and were not restored.
    pub vanished: Vec<Vanished>,
    /// Alarms about dead letters of the last day, newest first.
    pub alarms: Vec<Alarm>,
    /// Erasures of channels that were begun and have not ended.
    pub erasures: Vec<UnfinishedErasure>,
    /// Messages in `streams.rejected`.
    pub rejected: u32,
}

impl Facts {
    /// Whether a person has paused this stage.
    pub fn is_paused_by_person(&self, stage: &str) -> bool {
        self.paused.iter().any(|pause| pause.stage == stage)
    }

    /// What the database knows and what the broker said, each with its failure in words where it is unavailable.
    pub async fn read(
        store: &Store,
        queues: impl Future<Output = Result<Vec<QueueDepth>, String>>,
        now: DateTime<Utc>,
    ) -> Self {
        let mut facts = Self::default();
        let (rows, queues) = tokio::join!(facts.read_database(store, now), queues);
        let rows = rows.unwrap_or_else(|failure| {
            facts.database_trouble = Some(format!("{}{}", describe_failure(&failure), advice(&failure)));
            Vec::new()
        });
        match queues {
            Ok(depths) => {
                facts.stages = by_stage(&depths);
                count_rows(&mut facts.stages, &rows);
                facts.rejected = ready(REJECTED, &depths);
            }
            Err(trouble) => facts.broker_trouble = Some(trouble),
        }
        facts
    }

    /// Reads what the database knows. Returns how many dead letters it has of each queue.
    async fn read_database(
        &mut self,
        store: &Store,
        now: DateTime<Utc>,
    ) -> Result<Vec<(String, i64)>, Failure> {
        store.check().await?;
        self.under_way = store.pulls_under_way().await?;
        self.last_closed = store.last_closed_pull().await?;
        let since = now - RECENT;
        let missed = store.missed_slots(MOST_SLOTS).await?;
        self.missed_slots = missed.into_iter().filter(|missed| missed.slot >= since).collect();
        self.workers = store.worker_states(now).await?;
        self.silent = store.silent_workers(now).await?;
        self.paused = store.stage_pauses(now).await?;
        self.retries = store.retries(MOST_RETRIES).await?;
        self.erasures = store.unfinished_erasures().await?;
        self.alarms = store.alarms(since, MOST_ALARMS).await?;
        let vanished = store.vanished_dead_letters(since, MOST_DEAD_LETTERS).await?;
        self.vanished = vanished
            .into_iter()
            .map(|(stage, dead_letters)| Vanished { stage, letters: dead_letters })
            .collect();
        let queues: Vec<String> = all_stages().map(|stage| stage.dead()).collect();
        Ok(store.dead_letters_by_queue(&queues, MOST_DEAD_LETTERS).await?)
    }
}
