//! Noticing that nobody works on a pull.

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    runtime::QueueDepth,
    store::{PullReport, WorkerRow},
    topology::{CHANNEL_ENRICHER, EXTRACTOR, FINALIZER, GAME_ENRICHER, StageInfo},
};

/// How long a stage may be without a worker before it is said: a worker that is started again is back by then.
const GRACE: TimeDelta = TimeDelta::seconds(5);

/// Remembers since when which stage lacks a worker, and whether it was said.
#[derive(Debug, Default)]
pub(crate) struct MissingWorker {
    stage: Option<(StageInfo, DateTime<Utc>)>,
    said: bool,
}

impl MissingWorker {
    /// What to say: once when a worker is missed, once when it is back.
    pub(crate) fn note(
        &mut self,
        pull: &PullReport,
        queues: &[QueueDepth],
        workers: &[WorkerRow],
        now: DateTime<Utc>,
    ) -> Option<String> {
        let absent = absent(pull, queues, workers);
        if absent.map(|stage| stage.name) != self.stage.map(|(stage, _)| stage.name) {
            let before =
                std::mem::replace(self, Self { stage: absent.map(|stage| (stage, now)), said: false });
            let back = before.stage.filter(|(stage, _)| before.said && is_read(stage, queues));
            return back.map(|(stage, _)| format!("the {} is running again", stage.name));
        }
        let (stage, since) = self.stage.filter(|_| !self.said)?;
        (now - since >= GRACE).then(|| {
            self.said = true;
            let name = stage.name;
            format!(
                "no {name} is running: nothing reads the queue {name:?}; the pull goes on as soon as one does"
            )
        })
    }
}

/// The first stage that has work of this pull and no worker. One that is paused reads no queue, and is there.
fn absent(pull: &PullReport, queues: &[QueueDepth], workers: &[WorkerRow]) -> Option<StageInfo> {
    if pull.completed_at.is_some() {
        return None;
    }
    let stages = [
        (EXTRACTOR.info(), pull.extracted_at.is_none()),
        (GAME_ENRICHER.info(), pull.games_chunks < pull.chunks.into()),
        (CHANNEL_ENRICHER.info(), pull.channels_chunks < pull.games_chunks),
        (FINALIZER.info(), pull.merged_chunks < pull.channels_chunks),
    ];
    // Without a look at the queues nothing is known of them.
    let is_there = |stage: &StageInfo| workers.iter().any(|worker| worker.stage == stage.name);
    let unread = |stage: &StageInfo| !queues.is_empty() && !is_read(stage, queues) && !is_there(stage);
    stages.into_iter().find(|(stage, has_work)| *has_work && unread(stage)).map(|(stage, _)| stage)
}

fn is_read(stage: &StageInfo, queues: &[QueueDepth]) -> bool {
    queues
        .iter()
        .any(|queue| queue.name == stage.queue() && queue.consumers.is_some_and(|workers| workers > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;

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
    fn an_absence_is_said_once_and_after_a_while() {
        let (pull, start) = (sample::under_way(), sample::now());
        let mut missing_worker = MissingWorker::default();
        let at = |seconds| start + TimeDelta::seconds(seconds);
        assert_eq!(missing_worker.note(&pull, &queues(0), &[], at(0)), None);
        assert_eq!(missing_worker.note(&pull, &queues(0), &[], at(4)), None);
        let said = missing_worker.note(&pull, &queues(0), &[], at(5)).unwrap();
        assert!(said.starts_with("no extractor is running: nothing reads the queue \"extractor\""), "{said}");
        assert_eq!(missing_worker.note(&pull, &queues(0), &[], at(60)), None, "once is enough");
        assert_eq!(
            missing_worker.note(&pull, &queues(1), &[], at(61)).as_deref(),
            Some("the extractor is running again")
        );
        assert_eq!(missing_worker.note(&pull, &queues(1), &[], at(62)), None);
        assert_eq!(
            missing_worker.note(&pull, &queues(0), &[], at(62)),
            None,
            "a new absence has its own grace"
        );
        assert!(missing_worker.note(&pull, &queues(0), &[], at(67)).is_some());
    }

    #[test]
    fn a_stage_without_work_may_be_away() {
        let mut pull = sample::under_way();
        pull.extracted_at = Some(sample::now());
        assert_eq!(absent(&pull, &queues(0), &[]), None);
    }
}
