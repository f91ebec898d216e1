//! What people order: a stage to pause, one message of it, a pull to be called off. A leaf: `store` keeps, `runtime` obeys.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use crate::{clock::Clock, failure::Failure};

/// The code of a pause that a person has ordered.
pub const PAUSED_BY_PERSON: &str = "stage.paused";

/// A stage's pause, as a person has ordered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagePause {
    /// The stage.
    pub stage: String,
    /// Who has paused it.
    pub paused_by: String,
    /// Why, if that was told.
    pub reason: Option<String>,
    /// Since when.
    pub paused_at: DateTime<Utc>,
    /// When it ends by itself; none where only a person ends it.
    pub until: Option<DateTime<Utc>>,
}

impl StagePause {
    /// In words that follow "paused": who, until when, and why.
    pub fn describe(&self) -> String {
        let until =
            self.until.map(|until| format!(" until {}", until.format("%F %T UTC"))).unwrap_or_default();
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("by {}{until}{reason}", self.paused_by)
    }
}

/// What concerns one stage now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// The pause, while it lasts.
    pub pause: Option<StagePause>,
    /// The latest request for one message all the same that no replica has taken on yet.
    pub run_once: Option<i64>,
    /// Pulls that were cancelled when this was read.
    pub cancelled: HashSet<i64>,
}

/// What became of the one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOnceOutcome {
    /// It is settled: handled, to be retried, or a dead letter.
    Settled,
    /// There was none.
    NothingWaits,
    /// It is back in its queue: the stage met trouble that is not the message's.
    GivenBack,
}

impl RunOnceOutcome {
    /// The name in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::NothingWaits => "nothing-waits",
            Self::GivenBack => "given-back",
        }
    }
}

/// Where a worker learns what was ordered.
pub trait Steering: Send + Sync {
    /// Tells a stage's orders: at once, and again whenever they change, until it fails.
    fn follow<'a>(
        &'a self,
        stage: &'static str,
        clock: &'a Clock,
        tell: &'a (dyn Fn(Orders) + Send + Sync),
    ) -> BoxFuture<'a, Failure>;

    /// Which of these pulls are cancelled now: their messages are dropped.
    fn cancelled<'a>(&'a self, pulls: &'a [i64]) -> BoxFuture<'a, Result<HashSet<i64>, Failure>>;

    /// Takes on a request for one message; none where another replica was faster. Returns the request's number.
    fn take_run_once<'a>(
        &'a self,
        stage: &'static str,
        replica: &'a str,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Option<i64>, Failure>>;

    /// Writes down what became of it, and the id of the message, if there was one.
    fn note_run_once<'a>(
        &'a self,
        request: i64,
        outcome: RunOnceOutcome,
        message_id: Option<&'a str>,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<(), Failure>>;
}
