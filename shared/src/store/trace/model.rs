//! What a trace tells.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::{
    schema::PullId,
    store::{PlacedRecord, PullSettings},
};

/// What a trace tells of the pull.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PullFacts {
    /// The pull.
    pub pull_id: PullId,
    /// Where it stands.
    pub status: String,
    /// The scheduled time; none when somebody asked for it.
    pub slot: Option<DateTime<Utc>>,
    /// Who asked for it.
    pub requested_by: String,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When its last page was stored.
    pub extracted_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub completed_at: Option<DateTime<Utc>>,
    /// Why it stopped fetching pages.
    pub stop_reason: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// Pages stored.
    pub pages: i32,
    /// Viewers of the last valid record.
    pub last_viewers: Option<i32>,
    /// What it was fetched with; none for pulls of builds that did not say.
    pub settings: Option<PullSettings>,
    /// The build that closed it.
    pub build: Option<String>,
}

/// Something that was done to a chunk, in NiFi's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceStep {
    /// When, by the clock of who did it.
    pub at: DateTime<Utc>,
    /// The program.
    pub stage: String,
    /// `RECEIVE`, `FETCH`, `ROUTE`, `CONTENT_MODIFIED`, `SEND`, `DROP` or `REPLAY`.
    pub action: String,
    /// Which attempt of the stage it was, from 1.
    pub attempt: i32,
    /// Calls to Helix that were booked with it.
    pub calls: i32,
    /// More, in words.
    pub detail: String,
    /// The build that did it; none where it was not told.
    pub build: Option<String>,
}

/// A stream in a pull, or why it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StreamTrace {
    /// The pull.
    pub pull: PullFacts,
    /// The stream.
    pub stream_id: String,
    /// Where it is, or why it is nowhere.
    pub whereabouts: Whereabouts,
    /// Where it was seen once more, and dropped: chunk and record.
    pub duplicates: Vec<(i32, PlacedRecord)>,
    /// What was done to its chunk, in order; of an absent stream to the pull.
    pub steps: Vec<TraceStep>,
}

/// Where a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Whereabouts {
    /// Stored, merged or not.
    Stored(Box<StoredStream>),
    /// On a page, and rejected.
    Rejected(Rejection),
    /// On no page.
    Absent(Absence),
}

/// A stored stream, and what its page says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredStream {
    /// The chunk, which is the page.
    pub chunk: i32,
    /// The place on the page, from 1; none where that is no longer known.
    pub place: Option<i32>,
    /// The cursor that the page was asked for with; none for the first.
    pub cursor: Option<String>,
    /// Whether it was rejected at first, and let in later.
    pub revalidated: bool,
    /// The record as it was fetched, and validated; none once the page was deleted.
    pub fetched: Option<Value>,
    /// The row in `pull_data`; none until its chunk is merged.
    pub stored: Option<Value>,
    /// Fields that are stored otherwise than they were fetched.
    pub differences: Vec<Difference>,
    /// The stage that gave up on the chunk, and why.
    pub failure: Option<(String, String)>,
}

/// A field that is stored otherwise than it was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The column.
    pub field: String,
    /// What the kept page makes of it.
    pub fetched: Value,
    /// What is stored.
    pub stored: Value,
}

/// A record that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The chunk.
    pub chunk: i32,
    /// The place on the page, from 1.
    pub place: i32,
    /// The rule.
    pub rule: String,
    /// What was wrong, in words.
    pub detail: String,
    /// The record as Twitch sent it.
    pub raw: String,
}

/// Why a stream is on no page of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Absence {
    /// The pages were deleted: nobody can say.
    PagesGone,
    /// Pages are still being fetched.
    UnderWay,
    /// The pull failed before all its pages were fetched.
    Failed,
    /// Fetching ended at the cap of pages.
    PageCap,
    /// Twitch's cursors led back, or nowhere.
    CursorLoop,
    /// The list was read down to `MIN_VIEWERS`; below it nobody looked.
    BelowMinViewers,
    /// The list was read to its end: Twitch did not list it.
    NotListed,
}

impl Absence {
    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PagesGone => "pages-gone",
            Self::UnderWay => "under-way",
            Self::Failed => "pull-failed",
            Self::PageCap => "page-cap",
            Self::CursorLoop => "cursor-loop",
            Self::BelowMinViewers => "below-min-viewers",
            Self::NotListed => "not-listed",
        }
    }

    /// Why a stream that is on none of the stored pages of this pull is not there.
    pub(super) fn of(pull: &PullFacts) -> Self {
        match pull.stop_reason.as_deref() {
            Some("end") => Self::NotListed,
            Some("min_viewers") => Self::BelowMinViewers,
            Some("page_cap") => Self::PageCap,
            Some("cursor_loop") => Self::CursorLoop,
            _ if pull.status == "failed" => Self::Failed,
            _ => Self::UnderWay,
        }
    }
}
