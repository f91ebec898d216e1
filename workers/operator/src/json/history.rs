//! Of `operator history` and `operator alarms`. Times are UTC, RFC 3339.

use chrono::{DateTime, Utc};
use shared::{schema::PullId, store};

use super::document::document;

document! {
    /// Something that happened. `kind` is pull, missed-slot, worker, upgrade, pause, alarm, dead-letters, replay, rerun or order.
    HistoryEntry from store::HistoryEntry {
        at: DateTime<Utc>, kind: String, trouble: bool, stage: Option<String>, pull_id: Option<PullId>, detail: String,
    }
}

document! {
    /// An alarm. `subject` is a dead-letter queue, or `pulls`; `kind` is first, age, growth or volume.
    Alarm from store::AlarmRow {
        id: i64, at: DateTime<Utc>, subject: String, kind: String, pull_id: Option<PullId>, detail: String,
        acknowledged_at: Option<DateTime<Utc>>, acknowledged_by: Option<String>, note: Option<String>,
    }
}
