//! Of replays of dead letters.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store;

use super::{
    dead_letter::DeadLetterGroup,
    document::{document, each},
};
use crate::view;

document! {
    /// Results of a replay: `letters` is the sum of the five counts after it.
    ReplayReport from store::ReplayReport {
        replay_id: i64, letters: i64, done: i64, returned_same: i64, returned_different: i64, pending: i64,
        not_sent: i64, cured_by: Option<String>, ending: Option<String>,
    }
}

document! {
    /// The result of one dead letter's replay, and the dead letter it came back as.
    ReplayOutcome from store::Outcome {
        id: i64, outcome: Option<String>, outcome_at: Option<DateTime<Utc>>, build: Option<String>,
        came_back_as: Option<i64>,
    }
}

/// Results of a replay, in total and one by one.
#[derive(Debug, Serialize)]
pub(crate) struct ReplayDetails {
    #[serde(flatten)]
    report: ReplayReport,
    outcomes: Vec<ReplayOutcome>,
}

impl From<view::ReplayDetails> for ReplayDetails {
    fn from(details: view::ReplayDetails) -> Self {
        Self { report: details.report.into(), outcomes: each(details.outcomes) }
    }
}

/// What a replay would send.
#[derive(Debug, Serialize)]
pub(crate) struct ReplayPreview {
    would_send: i64,
    held: i64,
    groups: Vec<DeadLetterGroup>,
}

impl From<view::ReplayPreview> for ReplayPreview {
    fn from(preview: view::ReplayPreview) -> Self {
        let view::ReplayPreview { would_send, held, groups } = preview;
        Self { would_send, held, groups: each(groups) }
    }
}
