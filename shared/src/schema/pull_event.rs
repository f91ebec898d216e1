//! What the exchange `events` says of a pull, to whatever comes next.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    id::PullId,
    message::Message,
    pull_status::{PullStatus, StopReason},
};

/// A pull came to its end. Published as `pull.completed` or `pull.failed` for whatever comes next.
///
/// At least once: a subscriber recognises a repetition by `pull_id` and `completed_at`. Counts are of streams unless
/// their name says otherwise; times are UTC, RFC 3339.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullClosed {
    /// The pull.
    pub pull_id: PullId,
    /// `success` or `failed`.
    pub status: PullStatus,
    /// The scheduled time; none when a person asked for it.
    pub slot: Option<DateTime<Utc>>,
    /// Who asked for it.
    pub requested_by: String,
    /// When it was started. Its rows in `pull_data` carry this time as `pulled_at`.
    pub started_at: DateTime<Utc>,
    /// When its last page was stored.
    pub extracted_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub completed_at: DateTime<Utc>,
    /// Why it stopped fetching pages.
    pub stop_reason: Option<StopReason>,
    /// Pages fetched.
    pub pages: i32,
    /// Records received; `stored + rejected + duplicates`.
    pub fetched: i32,
    /// Streams stored.
    pub stored: i32,
    /// Records that failed validation.
    pub rejected: i32,
    /// Records whose stream the pull already had.
    pub duplicates: i32,
    /// Games learned through this pull.
    pub games_added: i32,
    /// Games of this pull that Twitch does not know.
    pub games_missing: i32,
    /// Streams stored with their channel.
    pub channels_filled: i32,
    /// Streams whose channel Twitch does not know.
    pub channels_missing: i32,
    /// Calls made to Helix on behalf of this pull.
    pub helix_calls: i32,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether the list of streams was read to its end, or to the least viewers wanted; none from builds that did not tell.
    #[serde(default)]
    pub whole: Option<bool>,
}

impl Message for PullClosed {
    const KIND: &'static str = "pull-closed";

    fn id(&self) -> String {
        format!("{}/{}/{}", Self::KIND, self.pull_id, self.completed_at.timestamp_micros())
    }
}

/// A completed pull is in the lake. Published as `lake.exported`, at least once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullExported {
    /// The pull.
    pub pull_id: PullId,
    /// When it came to its end, as in the event that it was exported for.
    pub completed_at: DateTime<Utc>,
    /// Streams in the lake.
    pub streams: i64,
}

impl Message for PullExported {
    const KIND: &'static str = "pull-exported";

    fn id(&self) -> String {
        format!("{}/{}/{}", Self::KIND, self.pull_id, self.completed_at.timestamp_micros())
    }
}
