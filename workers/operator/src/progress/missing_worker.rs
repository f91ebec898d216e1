//! Noticing that a pull's next stage has no worker.

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    runtime::QueueDepth,
    store::{PullReport, WorkerRow},
    topology::StageInfo,
};

use crate::view::{no_worker, stages_with_work};

/// How long a stage may be without a worker before a warning: a restarted worker is back by then.
const GRACE: TimeDelta = TimeDelta::seconds(5);

/// The stage without a worker, since when, and whether a warning was given.
#[derive(Debug, Default)]
pub(crate) struct MissingWorker {
    stage: Option<(StageInfo, DateTime<Utc>)>,
    warned: bool,
}

impl MissingWorker {
    /// The warning to give: once when a worker is missing, once when it is back.
    pub(crate) fn check(
        &mut self,
        pull: &PullReport,
        queues: &[QueueDepth],
        workers: &[WorkerRow],
        now: DateTime<Utc>,
    ) -> Option<String> {
        let missing = missing_stage(pull, queues, workers);
        if missing.map(|stage| stage.name) != self.stage.map(|(stage, _)| stage.name) {
            let before =
                std::mem::replace(self, Self { stage: missing.map(|stage| (stage, now)), warned: false });
            let back = before.stage.filter(|(stage, _)| before.warned && is_read(stage, queues));
            return back.map(|(stage, _)| format!("the {} is running again", stage.name));
        }
        let (stage, since) = self.stage.filter(|_| !self.warned)?;
        (now - since >= GRACE).then(|| {
            self.warned = true;
            no_worker(stage)
        })
    }
}

/// The first stage that has work of this pull and no worker. A paused worker consumes nothing, but it is there.
fn missing_stage(pull: &PullReport, queues: &[QueueDepth], workers: &[WorkerRow]) -> Option<StageInfo> {
    if queues.is_empty() {
        // The broker was not asked yet.
        return None;
    }
    let is_there = |stage: &StageInfo| workers.iter().any(|worker| worker.stage == stage.name);
    stages_with_work(pull).find(|stage| !is_read(stage, queues) && !is_there(stage))
}

fn is_read(stage: &StageInfo, queues: &[QueueDepth]) -> bool {
    queues
        .iter()
        .any(|queue| queue.name == stage.queue() && queue.consumers.is_some_and(|workers| workers > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn queues(extractors: u32) -> Vec<QueueDepth> {
        let stages = shared::topology::STAGES.into_iter();
        stages
            .map(|stage| QueueDepth {
                name: stage.queue().to_owned(),
                ready: Some(0),
                consumers: Some(if stage.name == "extractor" { extractors } else { 1 }),
            })
            .collect()
    }

    #[test]
    fn a_missing_worker_is_reported_once_and_after_a_while() {
        let mut missing_worker = MissingWorker::default();
        let mut check = |extractors, seconds| {
            let at = sample::now() + TimeDelta::seconds(seconds);
            missing_worker.check(&sample::under_way(), &queues(extractors), &[], at)
        };
        assert_eq!(check(0, 0), None);
        assert_eq!(check(0, 4), None);
        let warning = check(0, 5).unwrap();
        assert!(warning.starts_with("no extractor is running: queue \"extractor\""), "{warning}");
        assert_eq!(check(0, 60), None, "once is enough");
        assert_eq!(check(1, 61).as_deref(), Some("the extractor is running again"));
        assert_eq!(check(1, 62), None);
        assert_eq!(check(0, 62), None, "a new absence has its own grace");
        assert!(check(0, 67).is_some());
    }

    #[test]
    fn a_stage_without_work_may_be_absent() {
        let pull = PullReport { extracted_at: Some(sample::now()), ..sample::under_way() };
        assert_eq!(missing_stage(&pull, &queues(0), &[]), None);
    }
}
