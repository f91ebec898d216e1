//! What a person orders: which dead letters are replayed, and how.

use std::time::Duration;

use crate::{store::DeadLetterFilter, topology::StageInfo};

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
