//! The broker's queues, counted stage by stage.

use serde::Serialize;
use shared::{
    runtime::QueueDepth,
    topology::{STAGES, StageInfo},
};

/// What lies in a stage's queues, and who reads them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct StageQueues {
    /// The stage.
    pub(crate) stage: &'static str,
    /// Workers that read its work queue.
    pub(crate) workers: u32,
    /// Messages that wait for a worker.
    pub(crate) ready: u32,
    /// Replayed messages that wait for a quiet moment.
    pub(crate) replay: u32,
    /// Messages that wait on a retry rung to be tried again.
    pub(crate) retrying: u32,
    /// Dead letters: those in the queue, or those in the table where that knows of more. While somebody browses a queue it
    /// looks empty.
    pub(crate) dead: u32,
}

/// Every stage's queues, in the order of the flow.
pub(crate) fn by_stage(depths: &[QueueDepth]) -> Vec<StageQueues> {
    STAGES.into_iter().map(|stage| of_stage(stage, depths)).collect()
}

/// Counts the rows of the table as well: so many in each dead-letter queue.
pub(crate) fn count_rows(stages: &mut [StageQueues], rows: &[(String, i64)]) {
    for queues in stages {
        let dead = format!("{}.dead", queues.stage);
        let rows = rows.iter().find(|(queue, _)| *queue == dead).map_or(0, |(_, letters)| *letters);
        queues.dead = queues.dead.max(u32::try_from(rows).unwrap_or(u32::MAX));
    }
}

/// Messages in the queue of that name.
pub(crate) fn ready(name: &str, depths: &[QueueDepth]) -> u32 {
    depths.iter().find(|queue| queue.name == name).and_then(|queue| queue.ready).unwrap_or_default()
}

fn of_stage(stage: StageInfo, depths: &[QueueDepth]) -> StageQueues {
    let workers = depths.iter().find(|queue| queue.name == stage.queue()).and_then(|queue| queue.consumers);
    let rungs = format!("{}.retry.", stage.name);
    let retrying =
        depths.iter().filter(|queue| queue.name.starts_with(&rungs)).filter_map(|queue| queue.ready);
    StageQueues {
        stage: stage.name,
        workers: workers.unwrap_or_default(),
        ready: ready(stage.queue(), depths),
        replay: ready(&stage.replay(), depths),
        retrying: retrying.sum(),
        dead: ready(&stage.dead(), depths),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rungs_are_added_up() {
        let queue = |name: &str, ready, consumers| QueueDepth {
            name: name.to_owned(),
            ready: Some(ready),
            consumers: Some(consumers),
        };
        let depths = [
            queue("finalizer", 3, 2),
            queue("finalizer.retry.1000", 1, 0),
            queue("finalizer.retry.5000", 4, 0),
            queue("finalizer.dead", 7, 0),
        ];
        let expected =
            StageQueues { stage: "finalizer", workers: 2, ready: 3, replay: 0, retrying: 5, dead: 7 };
        assert_eq!(by_stage(&depths)[3], expected);
        assert_eq!(by_stage(&depths)[0].workers, 0, "what is not there counts nothing");
        let mut stages = by_stage(&depths);
        count_rows(&mut stages, &[("finalizer.dead".into(), 6), ("extractor.dead".into(), 2)]);
        assert_eq!((stages[3].dead, stages[0].dead), (7, 2), "the larger number");
    }
}
