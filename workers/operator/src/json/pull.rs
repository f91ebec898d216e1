//! Of the commands on pulls. Times are UTC, RFC 3339; what is not known yet is null.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::{schema::PullId, store};

use super::document::{document, each};
use crate::view;

document! {
    /// A pull. `slot` is null unless it was scheduled; counts of games and channels are null until it has ended.
    PullReport from store::PullReport {
        pull_id: PullId, status: String, slot: Option<DateTime<Utc>>, requested_by: String,
        started_at: DateTime<Utc>, extracted_at: Option<DateTime<Utc>>, completed_at: Option<DateTime<Utc>>,
        stop_reason: Option<String>, whole: Option<bool>, error: Option<String>, pages: i32, fetched: i32,
        stored: i32, rejected: i32, duplicates: i32, nul_replaced: i32, chunks: i32, games_added: Option<i32>,
        games_missing: Option<i32>, channels_filled: Option<i32>, channels_missing: Option<i32>,
        helix_calls: i32, rescues: i32, games_chunks: i64, channels_chunks: i64, merged_chunks: i64,
        rejected_by_rule: BTreeMap<String, i32>,
    }
}

document! {
    /// The progress of a stage with a pull: its first and last chunk done.
    StageSpan from store::StageSpan {
        stage: &'static str, chunks: i64, first_at: Option<DateTime<Utc>>, last_at: Option<DateTime<Utc>>,
    }
}

document! {
    /// A chunk that is not merged, the stage it waits for, and the failure that stopped it.
    Waiting from store::Waiting {
        chunk: i32, stage: String, since: DateTime<Utc>, failed_stage: Option<String>,
        failure: Option<String>,
    }
}

/// Everything about a pull.
#[derive(Debug, Serialize)]
pub(crate) struct PullDetails {
    pull: PullReport,
    stages: Vec<StageSpan>,
    waiting: Vec<Waiting>,
    obstacle: Option<String>,
}

impl From<view::PullDetails> for PullDetails {
    fn from(details: view::PullDetails) -> Self {
        let view::PullDetails { pull, stages, waiting, obstacle } = details;
        Self { pull: pull.into(), stages: each(stages), waiting: each(waiting), obstacle }
    }
}

document! {
    /// A pull that was requested.
    Requested { pull_id: PullId, announced: bool }
}

document! {
    /// How waiting for a pull ended: `success`, `failed`, `timeout` or `interrupted`.
    Waited { outcome: &'static str, pull: PullReport }
}

/// A pull that runs again, and what it was before.
#[derive(Debug, Serialize)]
pub(crate) struct Rerun {
    pull_id: PullId,
    from_stage: &'static str,
    build: &'static str,
    was_status: String,
    was_completed_at: Option<DateTime<Utc>>,
    was_build: Option<String>,
    chunks: usize,
}

impl From<store::Rerun> for Rerun {
    fn from(rerun: store::Rerun) -> Self {
        Self {
            chunks: rerun.chunks(),
            pull_id: rerun.pull_id,
            from_stage: rerun.from_stage,
            build: rerun.build,
            was_status: rerun.was_status,
            was_completed_at: rerun.was_completed_at,
            was_build: rerun.was_build,
        }
    }
}
