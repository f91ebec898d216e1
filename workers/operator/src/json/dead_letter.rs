//! Of the commands on dead letters. The keys say *letter*, as scripts know them.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use shared::store;

use super::document::{document, each};
use crate::view;

document! {
    /// A dead letter in a list.
    DeadLetter from store::DeadLetterRow {
        id: i64, queue: String, stage: String, class: String, code: String, message: String,
        fingerprint: String, attempts: i32, first_failed_at: DateTime<Utc>, last_failed_at: DateTime<Utc>,
        build: String, generation: i32, pull_id: Option<i64>, chunk: Option<i32>, state: String,
    }
}

document! {
    /// Dead letters of one cause; `sample` is the number of the newest.
    DeadLetterGroup from store::DeadLetterGroup {
        fingerprint: String, stage: String, class: String, code: String, letters: i64, held: i64,
        first_failed_at: DateTime<Utc>, last_failed_at: DateTime<Utc>, sample: i64, message: String,
        owner: Option<String>, note: Option<String>,
    }
}

document! {
    /// An event in a dead letter's history.
    HistoryEntry from store::DeadLetterEvent { at: DateTime<Utc>, by: String, event: String, detail: String }
}

/// A page of dead letters; `next_after` is null on the last one.
#[derive(Debug, Serialize)]
pub(crate) struct DeadLetterPage {
    matching: i64,
    next_after: Option<i64>,
    letters: Vec<DeadLetter>,
}

impl From<view::DeadLetterPage> for DeadLetterPage {
    fn from(page: view::DeadLetterPage) -> Self {
        let view::DeadLetterPage { matching, next_after, dead_letters } = page;
        Self { matching, next_after, letters: each(dead_letters) }
    }
}

/// A dead letter with its properties and history.
#[derive(Debug, Serialize)]
struct Details {
    #[serde(flatten)]
    row: DeadLetter,
    letter: String,
    causes: String,
    host: String,
    message_id: String,
    kind: String,
    properties: Value,
    held_until: Option<String>,
    replay_of: Option<i64>,
    events: Vec<HistoryEntry>,
}

impl From<store::DeadLetterDetails> for Details {
    fn from(details: store::DeadLetterDetails) -> Self {
        Self {
            row: details.row.into(),
            letter: details.letter,
            causes: details.causes,
            host: details.host,
            message_id: details.message_id,
            kind: details.kind,
            properties: details.properties,
            held_until: details.held_until,
            replay_of: details.replay_of,
            events: each(details.events),
        }
    }
}

/// Everything about a dead letter: its body in base64, and what it was before its replays, the latest first.
#[derive(Debug, Serialize)]
pub(crate) struct DeadLetterDetails {
    #[serde(flatten)]
    details: Details,
    body: String,
    former: Vec<Details>,
    pull_status: Option<String>,
}

impl From<view::DeadLetterDetails> for DeadLetterDetails {
    fn from(found: view::DeadLetterDetails) -> Self {
        let view::DeadLetterDetails { dead_letter, former, pull_status } = found;
        Self {
            body: STANDARD.encode(&dead_letter.body),
            details: dead_letter.into(),
            former: each(former),
            pull_status,
        }
    }
}

document! {
    /// How many dead letters were held or released.
    Held { letters: usize }
}

document! {
    /// How many dead letters were discarded.
    Discarded { discarded: usize }
}

document! {
    /// How many dead letters would be discarded.
    DiscardPreview { would_discard: i64 }
}

document! {
    /// The dead letters that were restored.
    Restored { restored: Vec<i64> }
}

document! {
    /// How many dead letters were written to a file.
    Exported { exported: i64 }
}

document! {
    /// The dead letters that were imported, and how many were already here.
    Imported { imported: Vec<i64>, there_already: usize }
}

document! {
    /// What was noted about a group.
    GroupNote { fingerprint: String, note: Option<String>, owner: Option<String> }
}
