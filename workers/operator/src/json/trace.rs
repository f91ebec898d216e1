//! Of `operator trace`. Times are UTC, RFC 3339.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::{
    schema::PullId,
    store::{self, Whereabouts},
};

use super::document::{document, each};

document! {
    /// What a trace tells of the pull; `settings` are those it was fetched with.
    PullFacts from store::PullFacts {
        pull_id: PullId, status: String, slot: Option<DateTime<Utc>>, requested_by: String, started_at: DateTime<Utc>,
        extracted_at: Option<DateTime<Utc>>, completed_at: Option<DateTime<Utc>>, stop_reason: Option<String>,
        error: Option<String>, pages: i32, last_viewers: Option<i32>, settings: Option<store::PullSettings>,
        build: Option<String>,
    }
}

document! {
    /// Something that was done to a chunk.
    TraceStep from store::TraceStep {
        at: DateTime<Utc>, stage: String, action: String, attempt: i32, calls: i32, detail: String, build: Option<String>,
    }
}

document! {
    /// A field that is stored otherwise than it was fetched.
    Difference from store::Difference { field: String, fetched: Value, stored: Value }
}

document! {
    /// A record that was rejected; `raw` is the record as Twitch sent it.
    Rejection from store::Rejection { chunk: i32, place: i32, rule: String, detail: String, raw: String }
}

document! {
    /// One time that a pull was made.
    PullAttempt from store::PullAttempt {
        began_at: DateTime<Utc>, by: String, from_stage: String, ended_at: Option<DateTime<Utc>>, outcome: String,
        error: Option<String>, build: Option<String>,
    }
}

document! {
    /// What one build of a stage did with the chunks of a pull.
    StageWork from store::StageWork {
        stage: String, build: String, action: String, chunks: i64, failed: i64, calls: i64, first_at: DateTime<Utc>,
        last_at: DateTime<Utc>,
    }
}

document! {
    /// A stream in a pull.
    Sighting from store::Sighting {
        pull_id: PullId, pulled_at: DateTime<Utc>, stream_id: String, chunk: i32, channel_login: String,
        game_name: String, viewer_count: i32, title: String,
    }
}

document! {
    /// That Twitch did not return an id.
    Missing from store::Missing {
        reason: String, first_missed_at: DateTime<Utc>, last_asked_at: DateTime<Utc>, times: i32, pull_id: PullId, chunk: i32,
    }
}

/// Where a stream was seen once more.
#[derive(Debug, Serialize)]
struct Duplicate {
    chunk: i32,
    place: i32,
    viewer_count: i32,
}

/// A stream in a pull. `whereabouts` is `stored`, `rejected`, or why it is on no page.
#[derive(Debug, Serialize)]
pub(crate) struct StreamTrace {
    stream_id: String,
    whereabouts: &'static str,
    chunk: Option<i32>,
    place: Option<i32>,
    cursor: Option<String>,
    revalidated: bool,
    fetched: Option<Value>,
    stored: Option<Value>,
    differences: Vec<Difference>,
    rejection: Option<Rejection>,
    duplicates: Vec<Duplicate>,
    steps: Vec<TraceStep>,
    pull: PullFacts,
}

impl From<store::StreamTrace> for StreamTrace {
    fn from(trace: store::StreamTrace) -> Self {
        let duplicates = trace.duplicates.into_iter().map(|(chunk, placed)| Duplicate {
            chunk,
            place: placed.place,
            viewer_count: placed.viewer_count,
        });
        let absent = Self {
            stream_id: trace.stream_id,
            whereabouts: "stored",
            chunk: None,
            place: None,
            cursor: None,
            revalidated: false,
            fetched: None,
            stored: None,
            differences: Vec::new(),
            rejection: None,
            duplicates: duplicates.collect(),
            steps: each(trace.steps),
            pull: trace.pull.into(),
        };
        match trace.whereabouts {
            Whereabouts::Stored(stored) => Self {
                chunk: Some(stored.chunk),
                place: stored.place,
                cursor: stored.cursor,
                revalidated: stored.revalidated,
                fetched: stored.fetched,
                stored: stored.stored,
                differences: each(stored.differences),
                ..absent
            },
            Whereabouts::Rejected(rejection) => Self {
                whereabouts: "rejected",
                chunk: Some(rejection.chunk),
                place: Some(rejection.place),
                rejection: Some(rejection.into()),
                ..absent
            },
            Whereabouts::Absent(absence) => Self { whereabouts: absence.as_str(), ..absent },
        }
    }
}

/// A pull, or a chunk of it.
#[derive(Debug, Serialize)]
pub(crate) struct PullTrace {
    pull: PullFacts,
    attempts: Vec<PullAttempt>,
    stages: Vec<StageWork>,
    steps: Vec<TraceStep>,
}

impl From<store::PullTrace> for PullTrace {
    fn from(trace: store::PullTrace) -> Self {
        let store::PullTrace { pull, attempts, stages, steps } = trace;
        Self { pull: pull.into(), attempts: each(attempts), stages: each(stages), steps: each(steps) }
    }
}

/// A channel or a game. `name`, `fetched_at` and `first_pull_id` are null where Twitch never returned it.
#[derive(Debug, Serialize)]
pub(crate) struct CatalogueTrace {
    id: String,
    name: Option<String>,
    fetched_at: Option<DateTime<Utc>>,
    first_pull_id: Option<PullId>,
    missing: Option<Missing>,
    sightings: Vec<Sighting>,
}

impl From<(store::CatalogueTrace, Vec<store::Sighting>)> for CatalogueTrace {
    fn from((trace, sightings): (store::CatalogueTrace, Vec<store::Sighting>)) -> Self {
        let (name, fetched_at, first_pull_id) = match trace.known {
            Some((name, at, pull)) => (Some(name), Some(at), Some(pull)),
            None => (None, None, None),
        };
        let (missing, sightings) = (trace.missing.map(Missing::from), each(sightings));
        Self { id: trace.id, name, fetched_at, first_pull_id, missing, sightings }
    }
}
