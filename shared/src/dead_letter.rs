//! Dead letters as they are told to the dead-letter store. A leaf: `runtime` tells, `store` keeps.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::failure::Failure;

/// After so many replays a dead letter is held: group commands pass it over.
pub const MOST_GENERATIONS: i32 = 3;

/// A dead letter: a message that could not be handled, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its own name; the same for the same work that dies again before anybody looks.
    pub letter: String,
    /// The queue it lies in.
    pub queue: String,
    /// The stage that failed.
    pub stage: String,
    /// The failure's class.
    pub class: String,
    /// The failure's code.
    pub code: String,
    /// The failure in words.
    pub message: String,
    /// What caused it, outermost first.
    pub causes: String,
    /// Failures that differ only in numbers, ids, times and quoted words share it.
    pub fingerprint: String,
    /// How many attempts failed.
    pub attempts: i32,
    /// When it failed first.
    pub first_failed_at: DateTime<Utc>,
    /// When it failed last.
    pub last_failed_at: DateTime<Utc>,
    /// The build that failed.
    pub build: String,
    /// The host it ran on.
    pub host: String,
    /// How many replays its message had behind it.
    pub generation: i32,
    /// The replay its message came from, if any.
    pub replayed: Option<Replayed>,
    /// The message's id.
    pub message_id: String,
    /// The message's kind.
    pub kind: String,
    /// The pull it is about, where its body says so.
    pub pull_id: Option<i64>,
    /// The chunk it is about, where its body says so.
    pub chunk: Option<i32>,
    /// Its properties and headers, as JSON.
    pub properties: Value,
    /// Its body, byte for byte.
    pub body: Vec<u8>,
}

/// What is needed to put an archived dead letter back where it lay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its number in the dead-letter store.
    pub id: i64,
    /// Its own name.
    pub letter: String,
    /// The queue it lay in.
    pub queue: String,
    /// Its properties and headers, with their types.
    pub properties: Value,
    /// Its body, byte for byte.
    pub body: Vec<u8>,
}

/// Where a replayed message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// The replay.
    pub replay_id: i64,
    /// The dead letter it was, by its number in the dead-letter store.
    pub letter_id: i64,
}

/// Something the dead-letter store is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A message died.
    Failed(Box<DeadLetter>),
    /// A replayed message was handled.
    Resolved {
        /// Which one.
        replayed: Replayed,
        /// The build that handled it.
        build: String,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Keeps dead letters where they can be searched.
pub trait DeadLetterStore: Send + Sync {
    /// Writes entries down. Writing one twice changes nothing.
    fn record<'a>(&'a self, entries: &'a [Entry], now: DateTime<Utc>) -> BoxFuture<'a, Result<(), Failure>>;
}
