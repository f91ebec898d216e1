//! Of `operator status`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store;

use super::{
    document::{document, each},
    pull::PullReport,
    steering::StagePause,
};
use crate::view;

document! {
    /// A worker's state; `code` and `reason` are null unless it is paused.
    Worker from store::WorkerRow {
        stage: String, replica: String, build: String, host: String, state: String, code: Option<String>,
        reason: Option<String>, since: DateTime<Utc>, in_hand: i32, seen_at: DateTime<Utc>,
    }
}

document! {
    /// A message that failed and is retried.
    RetriedMessage from store::RetryRow {
        stage: String, message_id: String, pull_id: Option<i64>, chunk: Option<i32>, attempts: i32,
        code: String, message: String, first_failed_at: DateTime<Utc>, last_failed_at: DateTime<Utc>,
        retry_at: DateTime<Utc>,
    }
}

document! {
    /// A slot at which no pull was started.
    MissedSlot from store::MissedSlot { slot: DateTime<Utc>, reason: String }
}

document! {
    /// An alarm about dead letters.
    Alarm from store::Alarm { at: DateTime<Utc>, queue: String, kind: String, detail: String }
}

document! {
    /// Dead letters that vanished from their queue.
    Vanished from view::Vanished { stage: String, letters: i64 }
}

document! {
    /// Messages in a stage's queues.
    StageQueues from view::StageQueues {
        stage: &'static str, workers: u32, ready: u32, replay: u32, retrying: u32, dead: u32,
    }
}

/// Overall health, and what it was judged by.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    well: bool,
    verdict: String,
    troubles: Vec<String>,
    database_trouble: Option<String>,
    broker_trouble: Option<String>,
    under_way: Vec<PullReport>,
    last_closed: Option<PullReport>,
    missed_slots: Vec<MissedSlot>,
    stages: Vec<StageQueues>,
    paused: Vec<StagePause>,
    workers: Vec<Worker>,
    retries: Vec<RetriedMessage>,
    vanished: Vec<Vanished>,
    alarms: Vec<Alarm>,
    rejected: u32,
}

impl From<view::Health> for Status {
    fn from(health: view::Health) -> Self {
        let view::Health { well, verdict, troubles, facts } = health;
        Self {
            well,
            verdict,
            troubles: troubles.into_iter().map(|trouble| trouble.text).collect(),
            database_trouble: facts.database_trouble,
            broker_trouble: facts.broker_trouble,
            under_way: each(facts.under_way),
            last_closed: facts.last_closed.map(PullReport::from),
            missed_slots: each(facts.missed_slots),
            stages: each(facts.stages),
            paused: each(facts.paused),
            workers: each(facts.workers),
            retries: each(facts.retries),
            vanished: each(facts.vanished),
            alarms: each(facts.alarms),
            rejected: facts.rejected,
        }
    }
}
