//! Of `operator lake status`; the other answers are the exporter's.

use chrono::{DateTime, NaiveDate, Utc};
use shared::store;

use super::document::{document, each};

document! {
    /// The lake.
    LakeStatus {
        root: Option<String>,
        copied: bool,
        snapshot: i64,
        snapshot_at: DateTime<Utc>,
        oldest_snapshot: i64,
        oldest_snapshot_at: DateTime<Utc>,
        pulls: i64,
        missing: i64,
        missing_since: Option<DateTime<Utc>>,
        left_out: i64,
        to_be_removed: i64,
        waiting_days: Vec<WaitingDay>,
        tables: Vec<LakeTable>,
    }
}

document! {
    /// A day that cannot be compacted yet, and the pulls for which it waits.
    WaitingDay { day: NaiveDate, pulls: Vec<i64> }
}

document! {
    /// A table of the lake.
    LakeTable from store::TableStatus { name: String, rows: i64, files: i64, hot_files: i64, bytes: i64 }
}

impl From<store::LakeStatus> for LakeStatus {
    fn from(status: store::LakeStatus) -> Self {
        Self {
            root: status.root,
            copied: status.copied,
            snapshot: status.snapshot.0,
            snapshot_at: status.snapshot.1,
            oldest_snapshot: status.oldest.0,
            oldest_snapshot_at: status.oldest.1,
            pulls: status.pulls,
            missing: status.missing,
            missing_since: status.missing_since,
            left_out: status.left_out,
            to_be_removed: status.to_be_removed,
            waiting_days: status
                .waiting_days
                .into_iter()
                .map(|(day, pulls)| WaitingDay { day, pulls })
                .collect(),
            tables: each(status.tables),
        }
    }
}
