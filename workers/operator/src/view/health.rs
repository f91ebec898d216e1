//! Whether all is well, and if not, why.

use chrono::{DateTime, Utc};
use shared::{
    schema::{PullStatus, StopReason},
    steering::StagePause,
    store::{Alarm, MissedSlot, PullReport, RetryRow, WorkerRow},
};

use super::{
    describe_pull::describe_incomplete,
    format::{ago, count},
    obstacles::{long_retries, pauses},
    queues::StageQueues,
    steering::person_pause,
};
use crate::suggest;

/// Dead letters that are no longer in their queue, though no command of ours took them out.
#[derive(Debug, Clone)]
pub(crate) struct Vanished {
    /// Their stage.
    pub(crate) stage: String,
    /// How many.
    pub(crate) letters: i64,
}

/// What health is judged by. What is unavailable is empty, and its trouble says why.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Why the database cannot be used; none when it can.
    pub(crate) database_trouble: Option<String>,
    /// Why the broker cannot be used; none when it can.
    pub(crate) broker_trouble: Option<String>,
    /// Pulls that have not ended, oldest first.
    pub(crate) under_way: Vec<PullReport>,
    /// The pull that ended last.
    pub(crate) last_closed: Option<PullReport>,
    /// Slots of the last day at which no pull was started, newest first.
    pub(crate) missed_slots: Vec<MissedSlot>,
    /// Each stage's queues.
    pub(crate) stages: Vec<StageQueues>,
    /// The workers' states.
    pub(crate) workers: Vec<WorkerRow>,
    /// Workers that have been silent for half a minute and did not end.
    pub(crate) silent: Vec<WorkerRow>,
    /// The stages that people have paused.
    pub(crate) paused: Vec<StagePause>,
    /// Messages that are retried, the oldest of each stage.
    pub(crate) retries: Vec<RetryRow>,
    /// How many dead letters of each stage vanished from their queue in the last day and were not restored.
    pub(crate) vanished: Vec<Vanished>,
    /// Alarms about dead letters of the last day, newest first.
    pub(crate) alarms: Vec<Alarm>,
    /// Messages in `streams.rejected`.
    pub(crate) rejected: u32,
}

/// A judgement, and its facts.
#[derive(Debug)]
pub(crate) struct Health {
    /// Whether all is well.
    pub(crate) well: bool,
    /// The same in a sentence.
    pub(crate) verdict: String,
    /// Each thing that is not well.
    pub(crate) troubles: Vec<String>,
    /// What it was judged by.
    pub(crate) facts: Facts,
}

impl Health {
    /// Each thing that is not well.
    pub(crate) fn troubles_of(facts: &Facts, now: DateTime<Utc>) -> Vec<String> {
        troubles(facts, now)
    }

    /// Judges the facts.
    pub(crate) fn from_facts(facts: Facts, now: DateTime<Utc>) -> Self {
        let troubles = troubles(&facts, now);
        let well = troubles.is_empty();
        let verdict =
            if well { good_news(&facts, now) } else { format!("Not well: {}.", troubles.join("; ")) };
        Self { well, verdict, troubles, facts }
    }
}

fn good_news(facts: &Facts, now: DateTime<Utc>) -> String {
    let last = match &facts.last_closed {
        Some(pull) => {
            let when = ago(pull.completed_at.unwrap_or(pull.started_at), now);
            let lacks = describe_incomplete(pull).map(|why| format!(", but {why}")).unwrap_or_default();
            format!("pull {} succeeded {when}{lacks}", pull.pull_id)
        }
        None => "there was no pull yet".to_owned(),
    };
    format!("All is well: every stage has a worker, there are no dead letters, {last}.")
}

fn troubles(facts: &Facts, now: DateTime<Utc>) -> Vec<String> {
    let mut troubles: Vec<String> =
        facts.database_trouble.iter().chain(&facts.broker_trouble).cloned().collect();
    troubles.extend(missing_workers(facts));
    troubles.extend(facts.paused.iter().map(person_pause));
    troubles.extend(pauses(&facts.workers, now));
    troubles.extend(long_retries(&facts.retries, now));
    troubles.extend(
        facts.under_way.iter().filter(|pull| pull.rescues > 0).map(|pull| {
            format!("pull {} stalled; re-announced {}", pull.pull_id, count(pull.rescues, "time"))
        }),
    );
    troubles.extend(facts.last_closed.as_ref().and_then(bad_end));
    let dead = facts.stages.iter().filter(|queues| queues.dead > 0);
    troubles
        .extend(dead.map(|queues| format!("{} of the {}", count(queues.dead, "dead letter"), queues.stage)));
    troubles.extend(facts.vanished.iter().map(|Vanished { stage, letters }| {
        suggest::typed(&format!(
            "{} of the {stage} vanished from their queue in the last day (the broker dropped them or somebody took them): \
             `operator dead-letters list --state vanished` lists them, `operator dead-letters restore ID` brings one back",
            count(*letters, "dead letter")
        ))
    }));
    troubles
}

/// The stages without a worker. A paused worker consumes nothing, but it is there.
fn missing_workers(facts: &Facts) -> Vec<String> {
    let is_paused =
        |stage: &str| facts.workers.iter().any(|worker| worker.stage == stage && worker.is_paused());
    let missing = facts.stages.iter().filter(|queues| queues.workers == 0 && !is_paused(queues.stage));
    let missing: Vec<_> = missing.map(|queues| format!("no {} is running", queues.stage)).collect();
    if !missing.is_empty() && missing.len() == facts.stages.len() {
        return vec!["no worker is running".to_owned()];
    }
    missing
}

/// Why the pull did not end well, if so. A page cap is a setting; cursors that lead in a circle are a fault.
fn bad_end(pull: &PullReport) -> Option<String> {
    let id = pull.pull_id;
    if pull.status == PullStatus::Failed.as_str() {
        return Some(format!("pull {id}, the last that ended, failed"));
    }
    let looped = pull.stop_reason.as_deref() == Some(StopReason::CursorLoop.as_str());
    let why = describe_incomplete(pull).filter(|_| looped)?;
    Some(format!("pull {id} succeeded, but {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sample, view::queues::by_stage};

    fn working() -> Vec<StageQueues> {
        by_stage(&[]).into_iter().map(|queues| StageQueues { workers: 1, ..queues }).collect()
    }

    #[test]
    fn all_is_well_when_nothing_is_wrong() {
        let slot = MissedSlot { slot: sample::now(), reason: "overlap: pull 7 is still pending".into() };
        let facts = Facts {
            stages: working(),
            last_closed: Some(sample::successful()),
            under_way: vec![sample::under_way()],
            missed_slots: vec![slot],
            rejected: 12,
            ..Facts::default()
        };
        let health = Health::from_facts(facts, sample::successful().completed_at.unwrap());
        assert!(health.well);
        assert_eq!(
            health.verdict,
            "All is well: every stage has a worker, there are no dead letters, pull 7 succeeded just now."
        );
        let health = Health::from_facts(Facts { stages: working(), ..Facts::default() }, sample::now());
        assert!(health.verdict.ends_with("there was no pull yet."), "{}", health.verdict);
    }

    #[test]
    fn an_incomplete_list_is_reported() {
        let health = |reason: &str| {
            let last = PullReport {
                stop_reason: Some(reason.to_owned()),
                whole: Some(false),
                ..sample::successful()
            };
            let facts = Facts { stages: working(), last_closed: Some(last), ..Facts::default() };
            Health::from_facts(facts, sample::now())
        };
        let looped = health("cursor_loop");
        assert!(!looped.well);
        assert_eq!(
            looped.verdict,
            "Not well: pull 7 succeeded, but the list of streams is incomplete: Twitch's cursors led in a circle."
        );
        let capped = health("page_cap");
        assert!(capped.well, "the cap is a setting");
        assert!(capped.verdict.ends_with("is incomplete: the page cap was reached."), "{}", capped.verdict);
    }

    #[test]
    fn each_trouble_is_named() {
        let mut stages = working();
        stages[1].workers = 0;
        stages[3].dead = 2;
        let rescued = PullReport { rescues: 1, ..sample::under_way() };
        let facts = Facts {
            broker_trouble: Some("RabbitMQ did not answer".into()),
            under_way: vec![rescued],
            last_closed: Some(sample::failed()),
            stages,
            vanished: vec![Vanished { stage: "channel-enricher".into(), letters: 14 }],
            ..Facts::default()
        };
        let health = Health::from_facts(facts, sample::now());
        assert!(!health.well);
        assert_eq!(
            health.verdict,
            "Not well: RabbitMQ did not answer; no game-enricher is running; pull 8 stalled; re-announced \
             1 time; pull 6, the last that ended, failed; 2 dead letters of the finalizer; 14 dead letters of the \
             channel-enricher vanished from their queue in the last day (the broker dropped them or somebody took \
             them): `operator dead-letters list --state vanished` lists them, `operator dead-letters restore ID` brings one back."
        );
    }
}
