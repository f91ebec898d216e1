//! The vocabulary of the queues: everything that is said between programs, in past-tense events.
//!
//! Messages carry keys of rows, never the rows: PostgreSQL is the truth, the queue is the to-do list. Each has a kind
//! and a version in its body. Changing one means thinking of those still in a queue: add optional fields, or raise the
//! version and keep reading the one before. `tests/suite/golden/messages` holds each one's JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    id::{ChunkRef, PullId},
    pull_status::{PullStatus, StopReason},
};

/// Something that can be said.
pub trait Message: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Its name on the wire, also the routing key.
    const KIND: &'static str;
    /// The version written, and the highest understood.
    const VERSION: u32 = 1;

    /// A name of this very announcement. The same work announced again has the same name, which is how a second
    /// delivery can be recognised. At most 255 bytes.
    fn id(&self) -> String;
}

/// A pull was asked for: its row exists, and its pages are to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullRequested {
    /// The pull.
    pub pull_id: PullId,
}

impl Message for PullRequested {
    const KIND: &'static str = "pull-requested";

    fn id(&self) -> String {
        format!("{}/{}", Self::KIND, self.pull_id)
    }
}

macro_rules! chunk_message {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub ChunkRef);

        impl Message for $name {
            const KIND: &'static str = $kind;

            fn id(&self) -> String {
                format!("{}/{}/{}", Self::KIND, self.0.pull_id, self.0.chunk)
            }
        }
    };
}

chunk_message! {
    /// A page was validated and its streams are stored.
    ChunkStored, "chunk-stored"
}
chunk_message! {
    /// Every game of a chunk is known, or known to be missing.
    GamesFilled, "games-filled"
}
chunk_message! {
    /// Every channel of a chunk is known and fresh, or known to be missing.
    ChannelsFilled, "channels-filled"
}

/// Records of a page failed validation. One message per page at most; the records themselves are in the view
/// `rejected_record`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "AnyRecordsRejected")]
pub struct RecordsRejected {
    /// The chunk whose page held them.
    #[serde(flatten)]
    pub chunk: ChunkRef,
    /// How many records each rule has rejected.
    pub by_rule: BTreeMap<String, u32>,
}

/// [`RecordsRejected`] of either version: the first carried the records.
#[derive(Deserialize, JsonSchema)]
struct AnyRecordsRejected {
    #[serde(flatten)]
    chunk: ChunkRef,
    #[serde(default)]
    by_rule: BTreeMap<String, u32>,
    #[serde(default)]
    records: Vec<RejectedBy>,
}

/// The one field of a record in a message of the first version that is still of use.
#[derive(Deserialize, JsonSchema)]
struct RejectedBy {
    rule: String,
}

impl From<AnyRecordsRejected> for RecordsRejected {
    fn from(AnyRecordsRejected { chunk, mut by_rule, records }: AnyRecordsRejected) -> Self {
        for RejectedBy { rule } in records {
            *by_rule.entry(rule).or_default() += 1;
        }
        Self { chunk, by_rule }
    }
}

impl Message for RecordsRejected {
    const KIND: &'static str = "records-rejected";
    const VERSION: u32 = 2;

    fn id(&self) -> String {
        format!("{}/{}/{}", Self::KIND, self.chunk.pull_id, self.chunk.chunk)
    }
}

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

impl Message for PullClosed {
    const KIND: &'static str = "pull-closed";

    fn id(&self) -> String {
        format!("{}/{}/{}", Self::KIND, self.pull_id, self.completed_at.timestamp_micros())
    }
}
