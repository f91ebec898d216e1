//! What a person orders: which dead letters are replayed, and how.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{failure::Failure, store::DeadLetterFilter, topology::StageInfo};

/// What is to be replayed, and how.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which dead letters.
    pub filter: DeadLetterFilter,
    /// Where to; none is each dead letter's own stage.
    pub target: Option<StageInfo>,
    /// Most dead letters.
    pub limit: Option<i64>,
    /// Most dead letters a second.
    pub rate: Option<f64>,
    /// What is sent instead of each dead letter's own body.
    pub body: Option<Vec<u8>>,
    /// Carefully: a few, a look at what came of them, more. None sends all.
    pub canary: Option<Canary>,
    /// Who asks.
    pub by: String,
}

/// When a careful replay stops.
#[derive(Debug, Clone, Copy)]
pub struct Canary {
    /// It stops when more than this share of a step failed again, 0 to 1.
    pub tolerate: f64,
    /// It stops when nothing came of a step for so long.
    pub patience: Duration,
}

/// What a replay is carried out for.
#[derive(Debug, Clone, Default)]
pub struct Operation {
    /// The operation's number; none for a replay of its own.
    pub id: Option<i64>,
    /// How many dead letters somebody has confirmed: if others match, nothing is sent. None sends what matches.
    pub exactly: Option<i64>,
    /// Ends it before its next step.
    pub stop: CancellationToken,
    /// Whether somebody goes on with it after trouble that may pass. Otherwise it is given up.
    pub goes_on: bool,
}

impl Operation {
    /// Why nothing is done where other dead letters match than were confirmed.
    pub fn counted_otherwise(confirmed: i64, found: i64) -> Failure {
        let why =
            format!("{found} dead letters match now, and {confirmed} were confirmed: nothing was changed");
        Failure::permanent("operation.counted_otherwise", why)
    }
}
