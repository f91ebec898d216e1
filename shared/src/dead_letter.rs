//! Dead letters as the dead-letter store records them. A leaf: `runtime` makes them, `store` keeps them.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::failure::Failure;

/// After so many replays a dead letter is held: group commands pass it over.
pub const MOST_GENERATIONS: i32 = 3;

/// A dead letter: a message that could not be handled, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Its own name; the same for the same message that fails again before anybody replays it.
    pub letter: String,
    /// The queue it is in.
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
    #[serde(flatten)]
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
    /// Its body, byte for byte; as Base64 where it is serialized.
    #[serde(serialize_with = "base64_text")]
    pub body: Vec<u8>,
}

fn base64_text<S: Serializer>(body: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(body))
}

/// What is needed to put an archived dead letter back into its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its number in the dead-letter store.
    pub id: i64,
    /// Its own name.
    pub letter: String,
    /// The queue it was in.
    pub queue: String,
    /// Its properties and headers, with their types.
    pub properties: Value,
    /// Its body, byte for byte.
    pub body: Vec<u8>,
}

/// Where a replayed message comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// The replay.
    pub replay_id: i64,
    /// The dead letter it was, by its number in the dead-letter store.
    pub letter_id: i64,
}

/// What became of deliveries, once the broker has confirmed what they led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// Dead letters, by their own names, that are in their queue.
    pub queued: Vec<String>,
    /// Replays that were handled.
    pub replays: Vec<Replayed>,
    /// The names that deliveries which were handled would have as dead letters. Each was delivered before: the worker that
    /// had it may have recorded it as dead, and died before it published the dead letter.
    pub recovered: Vec<String>,
}

impl Settled {
    /// Whether there is nothing to note.
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.replays.is_empty() && self.recovered.is_empty()
    }
}

/// Keeps dead letters as rows, where they can be searched. Everything may be written twice.
pub trait DeadLetterStore: Send + Sync {
    /// Records a dead letter. It is published after that.
    fn record<'a>(&'a self, dead_letter: &'a DeadLetter) -> BoxFuture<'a, Result<(), Failure>>;

    /// Notes what became of deliveries. They are acknowledged after that.
    fn settle<'a>(&'a self, settled: &'a Settled, now: DateTime<Utc>) -> BoxFuture<'a, Result<(), Failure>>;
}
