//! Of `operator operations`. Times are UTC, RFC 3339.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store;

use super::{
    document::{document, each},
    replay::ReplayReport,
};
use crate::view;

document! {
    /// An operation. `command` is the operator's command that does the same; `counted` is how many dead letters matched when it
    /// was confirmed.
    Operation from store::OperationRow {
        id: i64, kind: String, state: String, command: String, requested_by: String, requested_from: String,
        requested_at: DateTime<Utc>, counted: Option<i64>, stop_by: Option<String>, stop_at: Option<DateTime<Utc>>,
        carried_by: Option<String>, started_at: Option<DateTime<Utc>>, ended_at: Option<DateTime<Utc>>,
        outcome: Option<String>, replay_id: Option<i64>,
    }
}

document! {
    /// Something that was done for it.
    OperationStep from store::OperationStep { at: DateTime<Utc>, step: String }
}

/// An operation, its steps, and what came of its replay.
#[derive(Debug, Serialize)]
pub(crate) struct OperationDetails {
    #[serde(flatten)]
    operation: Operation,
    steps: Vec<OperationStep>,
    replay: Option<ReplayReport>,
}

impl From<view::OperationDetails> for OperationDetails {
    fn from(details: view::OperationDetails) -> Self {
        let view::OperationDetails { row, steps, replay } = details;
        Self { operation: row.into(), steps: each(steps), replay: replay.map(ReplayReport::from) }
    }
}
