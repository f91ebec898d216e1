//! How a worker is doing, as it is told to whoever asks. A leaf: `runtime` tells, `store` keeps.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use crate::{event::Event, failure::Failure};

/// The states of a worker's consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It takes messages and handles them.
    Consuming,
    /// It cannot go on, and takes nothing.
    Paused,
    /// After a pause: one message is tried before the others.
    HalfOpen,
    /// It was told to stop, and finishes what is in hand.
    Draining,
}

impl State {
    /// The name in tables, logs and probes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consuming => "consuming",
            Self::Paused => "paused",
            Self::HalfOpen => "half-open",
            Self::Draining => "draining",
        }
    }
}

/// Why a worker is paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The code of the failure, such as `store.unreachable`: its first part says whose trouble it is.
    pub code: &'static str,
    /// The failure in words.
    pub reason: String,
    /// Since when, by the worker's clock.
    pub since: DateTime<Utc>,
}

/// How one worker is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerState {
    /// Its stage.
    pub stage: &'static str,
    /// A name that no other process has.
    pub replica: String,
    /// Its build.
    pub build: &'static str,
    /// The host it runs on.
    pub host: String,
    /// What it does.
    pub state: State,
    /// Why it is paused; there while it is paused or half-open.
    pub pause: Option<Pause>,
    /// Since when it is in this state.
    pub since: DateTime<Utc>,
    /// Messages in its hand.
    pub in_hand: usize,
    /// What it may still spend, where it draws from a budget.
    pub allowance: Option<Allowance>,
}

/// What is left of a budget that all replicas draw from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Points thought to be left.
    pub left: u32,
    /// Points of the full budget.
    pub limit: u32,
}

/// A message that failed and will be tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// The message's id.
    pub message_id: String,
    /// The pull it is about, where its body says so.
    pub pull_id: Option<i64>,
    /// The chunk it is about, where its body says so.
    pub chunk: Option<i32>,
    /// Attempts that failed, this one included.
    pub attempts: u32,
    /// The failure's code.
    pub code: &'static str,
    /// The failure in words.
    pub message: String,
    /// When the message failed first.
    pub first_failed_at: DateTime<Utc>,
    /// When it comes back from its rung.
    pub retry_at: DateTime<Utc>,
}

/// Keeps what workers say of themselves where a person looks. Everything may be written twice.
pub trait StatusReporter: Send + Sync {
    /// Writes down how a worker is doing.
    fn report<'a>(&'a self, state: &'a WorkerState, now: DateTime<Utc>)
    -> BoxFuture<'a, Result<(), Failure>>;

    /// Removes a worker that has ended.
    fn leave<'a>(&'a self, state: &'a WorkerState) -> BoxFuture<'a, Result<(), Failure>>;

    /// Writes down messages that will be tried again, before they go to their rung.
    fn note_retries<'a>(
        &'a self,
        stage: &'static str,
        retries: &'a [Retry],
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// Removes messages that are settled, by their ids.
    fn forget_retries<'a>(
        &'a self,
        stage: &'static str,
        message_ids: &'a [String],
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// Adds warnings and errors to those of their day.
    fn record_events<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Failure>>;
}
