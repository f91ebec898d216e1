//! What stops the flow: paused workers, and messages that are retried.

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    schema::PullId,
    steering::{PAUSED_BY_PERSON, StagePause},
    store::{PullReport, RetryRow, WorkerRow},
    topology::{CHANNEL_ENRICHER, EXTRACTOR, FINALIZER, GAME_ENRICHER, StageInfo},
};

use super::{
    format::{count, duration},
    steering::person_pause,
};

/// How long a message may be retried before that is a trouble: the usual time between two slots.
const TOO_LONG: TimeDelta = TimeDelta::minutes(10);

/// The stages with paused workers: for how long, and why; of several reasons that of the longest pause.
pub(crate) fn pauses(workers: &[WorkerRow], now: DateTime<Utc>) -> Vec<String> {
    stages(workers.iter().map(|worker| worker.stage.as_str()))
        .into_iter()
        .filter_map(|stage| pause(stage, workers, now))
        .collect()
}

/// Why workers of this stage are paused, if any are.
pub(crate) fn pause(stage: &str, workers: &[WorkerRow], now: DateTime<Utc>) -> Option<String> {
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
pub(crate) fn retries<'a>(rows: impl IntoIterator<Item = &'a RetryRow>, now: DateTime<Utc>) -> Vec<String> {
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
pub(crate) fn long_retries(rows: &[RetryRow], now: DateTime<Utc>) -> Vec<String> {
    retries(rows.iter().filter(|retry| now - retry.first_failed_at > TOO_LONG), now)
}

/// What stops this pull, if that is known: a stage that it needs and that a person has paused, or that is paused for trouble, or
/// a retried message of its own.
pub(crate) fn pull_obstacle(
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
pub(crate) fn stages_with_work(pull: &PullReport) -> impl Iterator<Item = StageInfo> {
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
pub(crate) fn no_worker(stage: StageInfo) -> String {
    let name = stage.name;
    format!("no {name} is running: queue {name:?} has no consumer; the pull continues when one starts")
}

/// A pull that waits for its turn.
pub(crate) fn behind(pull: PullId, other: PullId) -> String {
    format!("the extractor is fetching pull {other}; pull {pull} is next")
}

/// The part of an obstacle that stays the same while time passes.
pub(crate) fn reason(obstacle: &str) -> &str {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn worker(stage: &str, reason: Option<&str>) -> WorkerRow {
        WorkerRow { stage: stage.to_owned(), reason: reason.map(str::to_owned), ..sample::worker() }
    }

    fn retry(stage: &str, minutes: i64) -> RetryRow {
        let first_failed_at = sample::now() - TimeDelta::minutes(minutes);
        RetryRow { stage: stage.to_owned(), first_failed_at, ..sample::retry() }
    }

    #[test]
    fn what_a_person_has_ordered_is_one_sentence() {
        let pause = sample::stage_pause();
        let sentence = "the extractor is paused by anna until 2026-07-12 11:12:00 UTC: the disk is changed; \
                        `operator resume extractor` ends that";
        assert_eq!(person_pause(&pause), sentence);
        let obeys = WorkerRow { code: Some(PAUSED_BY_PERSON.into()), ..worker("extractor", Some("by anna")) };
        let workers = [obeys];
        let told = pull_obstacle(&sample::under_way(), &[pause], &workers, &[], sample::now());
        assert_eq!(told.as_deref(), Some(sentence));
        assert!(pauses(&workers, sample::now()).is_empty(), "once is enough");
    }

    #[test]
    fn a_pause_names_stage_duration_and_reason() {
        let workers =
            [worker("extractor", Some("no token")), worker("extractor", None), worker("finalizer", None)];
        assert_eq!(pauses(&workers, sample::now()), ["1 of 2 extractors are paused for 1m 05s: no token"]);
        assert_eq!(pauses(&workers[..1], sample::now()), ["the extractor is paused for 1m 05s: no token"]);
        assert!(pauses(&workers[1..], sample::now()).is_empty());
    }

    #[test]
    fn a_pull_is_stopped_by_a_stage_it_needs_or_by_its_own_messages() {
        let pull = sample::under_way();
        let obstacle = |workers: &[WorkerRow], retries: &[RetryRow]| {
            pull_obstacle(&pull, &[], workers, retries, sample::now())
        };
        assert_eq!(obstacle(&[], &[]), None);
        let paused = obstacle(&[worker("extractor", Some("no token"))], &[retry("extractor", 1)]);
        assert!(paused.is_some_and(|why| why.contains("no token")));
        let again = obstacle(&[worker("extractor", None)], &[retry("extractor", 1)]).expect("a reason");
        assert_eq!(
            again,
            "the extractor has been retrying 1 message for 1m 00s (3 attempts): Twitch answered 503"
        );
        let closed = sample::successful();
        assert_eq!(
            pull_obstacle(&closed, &[], &[worker("extractor", Some("no token"))], &[], sample::now()),
            None
        );
    }

    #[test]
    fn only_long_retries_are_a_trouble() {
        let all = [retry("extractor", 1), retry("finalizer", 11)];
        assert_eq!(retries(&all, sample::now()).len(), 2);
        let long = long_retries(&all, sample::now());
        assert!(long.len() == 1 && long[0].starts_with("the finalizer"), "{long:?}");
    }
}
