//! Of `operator events`.

use chrono::{DateTime, Utc};
use shared::store;

use super::document::document;

document! {
    /// A warning or an error, and how often it was seen on its day. `chunk`, `message`, `trace`, `build` and `host` are of the
    /// latest; `fingerprint` is the same on every day.
    Event from store::EventRow {
        first_at: DateTime<Utc>, last_at: DateTime<Utc>, count: i64, level: String, stage: String, code: Option<String>,
        pull_id: Option<i64>, chunk: Option<i32>, message: String, trace: Option<String>, build: String, host: String,
        fingerprint: String,
    }
}
