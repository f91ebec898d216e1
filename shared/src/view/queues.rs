//! The broker's queues, stage by stage, counted.

use crate::{
    runtime::QueueDepth,
    topology::{StageInfo, all_stages},
};

/// Messages in a stage's queues, and its workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageQueues {
    /// The stage.
    pub stage: &'static str,
    /// Consumers of its work queue.
    pub workers: u32,
    /// Messages ready for a worker.
    pub ready: u32,
    /// Replayed messages, handled when there is no live work.
    pub replay: u32,
    /// Messages on a retry rung.
    pub retrying: u32,
    /// Dead letters: those in the queue or those in the table, whichever are more. A queue that somebody browses looks empty.
    pub dead: u32,
}

/// Every stage's queues, in the order of the flow; without those of a stage that is left out.
pub fn by_stage(depths: &[QueueDepth]) -> Vec<StageQueues> {
    let deployed =
        |stage: &StageInfo| stage.event.is_none() || depths.iter().any(|queue| queue.name == stage.queue());
    all_stages().filter(deployed).map(|stage| StageQueues::from_depths(stage, depths)).collect()
}

/// Counts the rows of the table too: so many for each dead-letter queue.
pub fn count_rows(stages: &mut [StageQueues], rows: &[(String, i64)]) {
    for queues in stages {
        let dead = format!("{}.dead", queues.stage);
        let rows = rows.iter().find(|(queue, _)| *queue == dead).map_or(0, |(_, rows)| *rows);
        queues.dead = queues.dead.max(u32::try_from(rows).unwrap_or(u32::MAX));
    }
}

/// Messages in the queue of that name.
pub fn ready(name: &str, depths: &[QueueDepth]) -> u32 {
    depths.iter().find(|queue| queue.name == name).and_then(|queue| queue.ready).unwrap_or_default()
}

impl StageQueues {
    fn from_depths(stage: StageInfo, depths: &[QueueDepth]) -> Self {
        let work = depths.iter().find(|queue| queue.name == stage.queue());
        let rungs = format!("{}.retry.", stage.name);
        let retrying = depths.iter().filter(|queue| queue.name.starts_with(&rungs));
        Self {
            stage: stage.name,
            workers: work.and_then(|queue| queue.consumers).unwrap_or_default(),
            ready: ready(stage.queue(), depths),
            replay: ready(&stage.replay(), depths),
            retrying: retrying.filter_map(|queue| queue.ready).sum(),
            dead: ready(&stage.dead(), depths),
        }
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
