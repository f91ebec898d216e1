//! What stops the flow: paused workers, and messages that are retried.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    format::{count, duration},
    suggest,
};
use crate::{
    schema::PullId,
    steering::{PAUSED_BY_PERSON, StagePause},
    store::{PullReport, RetryRow, WorkerRow},
    topology::{CHANNEL_ENRICHER, EXTRACTOR, FINALIZER, GAME_ENRICHER, OPTIONAL_STAGES, StageInfo},
};

/// How long a message may be retried before that is a trouble: the usual time between two slots.
const TOO_LONG: TimeDelta = TimeDelta::minutes(10);

/// The stages with paused workers: for how long, and why; of several reasons that of the longest pause.
pub fn pauses(workers: &[WorkerRow], now: DateTime<Utc>) -> Vec<String> {
    stages(workers.iter().map(|worker| worker.stage.as_str()))
        .into_iter()
        .filter_map(|stage| pause(stage, workers, now))
        .collect()
}

/// Why workers of this stage are paused, if any are.
pub fn pause(stage: &str, workers: &[WorkerRow], now: DateTime<Utc>) -> Option<String> {
    let of_stage: Vec<_> = workers.iter().filter(|worker| worker.stage == stage).collect();
    // What a person has ordered is told by its own sentence.
    let by_itself =
        |worker: &&&WorkerRow| worker.is_paused() && worker.code.as_deref() != Some(PAUSED_BY_PERSON);
    let paused: Vec<_> = of_stage.iter().filter(by_itself).collect();
    let longest = paused.iter().min_by_key(|worker| worker.since)?;
    let who = if paused.len() == of_stage.len() {
        format!("the {stage} is paused")
    } else {
        format!("{} of {} {stage}s are paused", paused.len(), of_stage.len())
    };
    let reason = longest.reason.as_deref().unwrap_or_default();
    Some(format!("{who} for {}: {reason}", duration(now - longest.since)))
}

/// The stages that retry messages: how many, for how long, and the last failure of the oldest.
pub fn retries<'a>(rows: impl IntoIterator<Item = &'a RetryRow>, now: DateTime<Utc>) -> Vec<String> {
    let rows: Vec<_> = rows.into_iter().collect();
    stages(rows.iter().map(|retry| retry.stage.as_str()))
        .into_iter()
        .filter_map(|stage| {
            let of_stage = rows.iter().filter(|retry| retry.stage == stage);
            let messages = count(of_stage.clone().count(), "message");
            let oldest = of_stage.min_by_key(|retry| retry.first_failed_at)?;
            Some(format!(
                "the {stage} has been retrying {messages} for {} ({}): {}",
                duration(now - oldest.first_failed_at),
                count(oldest.attempts, "attempt"),
                oldest.message
            ))
        })
        .collect()
}

/// The same, of messages that have been retried for too long.
pub fn long_retries(rows: &[RetryRow], now: DateTime<Utc>) -> Vec<String> {
    retries(rows.iter().filter(|retry| now - retry.first_failed_at > TOO_LONG), now)
}

/// A stage that a person has paused: one sentence, the same wherever it is told.
pub fn person_pause(pause: &StagePause) -> String {
    let stage = &pause.stage;
    suggest::typed(&format!(
        "the {stage} is paused {}; `operator resume {stage}` ends that",
        pause.describe()
    ))
}

/// What stops this pull, if that is known: a stage that it needs and that a person has paused, or that is paused for trouble, or
/// a retried message of its own.
pub fn pull_obstacle(
    pull: &PullReport,
    ordered: &[StagePause],
    workers: &[WorkerRow],
    rows: &[RetryRow],
    now: DateTime<Utc>,
) -> Option<String> {
    if pull.completed_at.is_some() {
        return None;
    }
    let by_person =
        stages_with_work(pull).find_map(|stage| ordered.iter().find(|pause| pause.stage == stage.name));
    let paused = by_person
        .map(person_pause)
        .or_else(|| stages_with_work(pull).find_map(|stage| pause(stage.name, workers, now)));
    let own = rows.iter().filter(|retry| retry.pull_id == Some(pull.pull_id.0));
    paused.or_else(|| retries(own, now).into_iter().next())
}

/// The stages that have work of this pull, in the order of the flow.
pub fn stages_with_work(pull: &PullReport) -> impl Iterator<Item = StageInfo> {
    let stages = [
        (EXTRACTOR.info(), pull.extracted_at.is_none()),
        (GAME_ENRICHER.info(), pull.games_chunks < pull.chunks.into()),
        (CHANNEL_ENRICHER.info(), pull.channels_chunks < pull.games_chunks),
        (FINALIZER.info(), pull.merged_chunks < pull.channels_chunks),
    ];
    let ended = pull.completed_at.is_some();
    stages.into_iter().filter(move |(_, has_work)| *has_work && !ended).map(|(stage, _)| stage)
}

/// A stage without a worker.
pub fn no_worker(stage: StageInfo) -> String {
    let name = stage.name;
    let then = if OPTIONAL_STAGES.contains(&stage) {
        "completed pulls wait for one"
    } else {
        "the pull continues when one starts"
    };
    format!("no {name} is running: queue {name:?} has no consumer; {then}")
}

/// A worker that does not say any longer that it lives.
pub fn silence(worker: &WorkerRow, now: DateTime<Utc>) -> String {
    let WorkerRow { stage, replica, host, .. } = worker;
    let silence = duration(now - worker.seen_at);
    format!("the {stage} {replica} on {host} has been silent for {silence}: frozen, killed, or cut off")
}

/// A pull that waits for its turn.
pub fn behind(pull: PullId, other: PullId) -> String {
    format!("the extractor is fetching pull {other}; pull {pull} is next")
}

/// The part of an obstacle that stays the same while time passes.
pub fn reason(obstacle: &str) -> &str {
    obstacle.split_once(": ").map_or(obstacle, |(_, reason)| reason)
}

/// Each stage once, in the order of the rows.
fn stages<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut stages = Vec::new();
    for name in names {
        if !stages.contains(&name) {
            stages.push(name);
        }
    }
    stages
}
