//! Of `operator top`.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{document::each, pull::PullReport};
use crate::view;

/// The flow at one look.
#[derive(Debug, Serialize)]
pub(crate) struct Flow {
    at: DateTime<Utc>,
    troubles: Vec<String>,
    paused: Vec<String>,
    stages: Vec<FlowStage>,
    pulls: Vec<PullReport>,
    points_left: Option<i32>,
    points_limit: Option<i32>,
}

/// A stage; `per_second` counts chunks, of the extractor pages. `oldest_seconds` is null where nothing waits.
#[derive(Debug, Serialize)]
struct FlowStage {
    stage: &'static str,
    state: String,
    workers: u32,
    ready: u32,
    in_hand: u32,
    retrying: u32,
    dead: u32,
    per_second: f64,
    oldest_seconds: Option<f64>,
}

impl From<view::Flow> for Flow {
    fn from(flow: view::Flow) -> Self {
        let view::Flow { at, troubles, paused, stages, pulls, points } = flow;
        let (points_left, points_limit) = points.unzip();
        Self { at, troubles, paused, stages: each(stages), pulls: each(pulls), points_left, points_limit }
    }
}

impl From<view::FlowStage> for FlowStage {
    fn from(stage: view::FlowStage) -> Self {
        let view::FlowStage { stage, state, workers, ready, in_hand, retrying, dead, per_second, oldest } =
            stage;
        let oldest_seconds = oldest.map(chrono::TimeDelta::as_seconds_f64);
        Self { stage, state, workers, ready, in_hand, retrying, dead, per_second, oldest_seconds }
    }
}
