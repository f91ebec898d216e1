//! Of `operator pause`, `resume`, `run-once` and `peek`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::{
    steering,
    store::{Queued, RunOnceReport},
};

use super::document::document;
use crate::view;

document! {
    /// A stage that a person has paused; `until` is null where only a person ends it.
    StagePause from steering::StagePause {
        stage: String, paused_by: String, reason: Option<String>, paused_at: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    }
}

document! {
    /// The end of a pause, if there was one.
    Resumed { stage: String, was_paused: bool }
}

document! {
    /// What became of the one message.
    RanOnce { stage: String, outcome: Option<String>, message_id: Option<String>, taken_by: Option<String> }
}

impl RanOnce {
    /// The report on one message of `stage`.
    pub(crate) fn new(stage: String, report: RunOnceReport) -> Self {
        let RunOnceReport { taken_by, outcome, message_id } = report;
        Self { stage, outcome, message_id, taken_by }
    }
}

/// A message that waits for a stage.
#[derive(Debug, Serialize)]
pub(crate) struct WaitingMessage {
    message_id: String,
    kind: &'static str,
    pull_id: i64,
    chunk: Option<i32>,
    since: DateTime<Utc>,
    attempts: Option<i32>,
    retry_at: Option<DateTime<Utc>>,
    last_failure: Option<String>,
    body: Value,
}

impl From<view::Waiting> for WaitingMessage {
    fn from(waiting: view::Waiting) -> Self {
        let view::Waiting { message_id, kind, queued, body, retry } = waiting;
        let (pull_id, chunk) = match &queued {
            Queued::Pull(pull, _) => (pull.0, None),
            Queued::Chunk(chunk, _) => (chunk.pull_id.0, Some(chunk.chunk)),
        };
        Self {
            message_id,
            kind,
            pull_id,
            chunk,
            since: queued.since(),
            attempts: retry.as_ref().map(|retry| retry.attempts),
            retry_at: retry.as_ref().map(|retry| retry.retry_at),
            last_failure: retry.map(|retry| retry.message),
            body,
        }
    }
}
