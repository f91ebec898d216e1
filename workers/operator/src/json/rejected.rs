//! Of `operator rejected`.

use serde::Serialize;
use shared::{dead_letters::Entered, schema::PullId, store};

use super::document::document;

document! {
    /// A rejected record; `raw` is the record as Twitch sent it, byte for byte.
    RejectedRecord from store::RejectedRecord {
        pull_id: i64, chunk: i32, place: i32, rule: String, detail: String, raw: String,
    }
}

document! {
    /// Rejected records of one rule.
    RejectedGroup from store::RejectedGroup { rule: String, records: i64, pulls: i64, newest_pull: i64 }
}

/// Results of validating rejected records again.
#[derive(Debug, Serialize)]
pub(crate) struct Revalidation {
    pull_id: PullId,
    dry_run: bool,
    entered: i64,
    duplicates: i64,
    remaining: i64,
    chunks: i64,
}

impl Revalidation {
    /// Of this pull, or with `dry_run` what would become of it.
    pub(crate) fn new(pull_id: PullId, dry_run: bool, entered: Entered) -> Self {
        let Entered { entered, duplicates, remaining, chunks } = entered;
        Self { pull_id, dry_run, entered, duplicates, remaining, chunks }
    }
}
