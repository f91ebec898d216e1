//! What keeps the flow from going on, in words: workers that are paused, messages that are tried again.

use chrono::{DateTime, TimeDelta, Utc};
use shared::store::{PullReport, RetryRow, WorkerRow};
use shared::topology::{CHANNEL_ENRICHER, EXTRACTOR, FINALIZER, GAME_ENRICHER};

use super::format::{count, duration};

/// How long a message may be tried again before that is more than a passing trouble: as long as the usual time between two
/// slots.
const TOO_LONG: TimeDelta = TimeDelta::minutes(10);

/// The stages of which workers are paused, each with since when and why; of several reasons that of the longest pause.
pub(crate) fn pauses(workers: &[WorkerRow], now: DateTime<Utc>) -> Vec<String> {
    stages(workers.iter().map(|worker| worker.stage.as_str()))
        .into_iter()
        .filter_map(|stage| pause(stage, workers, now))
        .collect()
}

/// Why workers of this stage are paused, if any are.
fn pause(stage: &str, workers: &[WorkerRow], now: DateTime<Utc>) -> Option<String> {
    let of_stage: Vec<_> = workers.iter().filter(|worker| worker.stage == stage).collect();
    let paused: Vec<_> = of_stage.iter().filter(|worker| worker.is_paused()).collect();
    let longest = paused.iter().min_by_key(|worker| worker.since)?;
    let who = if paused.len() == of_stage.len() {
        format!("the {stage} is paused")
    } else {
        format!("{} of {} {stage}s are paused", paused.len(), of_stage.len())
    };
    let reason = longest.reason.as_deref().unwrap_or_default();
    Some(format!("{who}, for {}: {reason}", duration(now - longest.since)))
}

/// The stages that try messages again: how many, for how long, and why the oldest failed last.
pub(crate) fn retries(retries: &[RetryRow], now: DateTime<Utc>) -> Vec<String> {
    stages(retries.iter().map(|retry| retry.stage.as_str()))
        .into_iter()
        .filter_map(|stage| {
            let of_stage: Vec<_> = retries.iter().filter(|retry| retry.stage == stage).collect();
            let oldest = of_stage.iter().min_by_key(|retry| retry.first_failed_at)?;
            let messages = count(i64::try_from(of_stage.len()).unwrap_or(i64::MAX), "message");
            Some(format!(
                "the {stage} has tried {messages} again for {} ({}): {}",
                duration(now - oldest.first_failed_at),
                count(oldest.attempts, "attempt"),
                oldest.message
            ))
        })
        .collect()
}

/// The same, of messages that have been tried again for too long to be well.
pub(crate) fn long_retries(all: &[RetryRow], now: DateTime<Utc>) -> Vec<String> {
    let long: Vec<RetryRow> =
        all.iter().filter(|retry| now - retry.first_failed_at > TOO_LONG).cloned().collect();
    retries(&long, now)
}

/// What keeps this pull from going on, if that is known: a paused stage that it needs next, or a message of its own that
/// is tried again.
pub(crate) fn of_pull(
    pull: &PullReport,
    workers: &[WorkerRow],
    all: &[RetryRow],
    now: DateTime<Utc>,
) -> Option<String> {
    if pull.completed_at.is_some() {
        return None;
    }
    let needed = [
        (EXTRACTOR.info().name, pull.extracted_at.is_none()),
        (GAME_ENRICHER.info().name, pull.games_chunks < pull.chunks.into()),
        (CHANNEL_ENRICHER.info().name, pull.channels_chunks < pull.games_chunks),
        (FINALIZER.info().name, pull.merged_chunks < pull.channels_chunks),
    ];
    let mut needed = needed.into_iter().filter(|(_, needed)| *needed).map(|(stage, _)| stage);
    let paused = needed.find_map(|stage| pause(stage, workers, now));
    paused.or_else(|| {
        let own: Vec<RetryRow> =
            all.iter().filter(|retry| retry.pull_id == Some(pull.pull_id.0)).cloned().collect();
        retries(&own, now).into_iter().next()
    })
}

/// The part of what is told that stays the same while time passes.
pub(crate) fn reason(told: &str) -> &str {
    told.split_once(": ").map_or(told, |(_, reason)| reason)
}

/// Each stage once, in the order they come.
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
    use crate::view::sample;

    fn worker(stage: &str, reason: Option<&str>) -> WorkerRow {
        let now = sample::now();
        WorkerRow {
            stage: stage.to_owned(),
            replica: "one".to_owned(),
            build: "0.1.0".to_owned(),
            host: "host".to_owned(),
            state: if reason.is_some() { "paused" } else { "consuming" }.to_owned(),
            code: reason.map(|_| "test".to_owned()),
            reason: reason.map(str::to_owned),
            since: now - TimeDelta::seconds(65),
            in_hand: 0,
            seen_at: now,
        }
    }

    fn retry(stage: &str, minutes: i64) -> RetryRow {
        let first_failed_at = sample::now() - TimeDelta::minutes(minutes);
        RetryRow {
            stage: stage.to_owned(),
            message_id: "id".to_owned(),
            pull_id: Some(8),
            chunk: None,
            attempts: 3,
            code: "helix.server_error".to_owned(),
            message: "Twitch answered 503".to_owned(),
            first_failed_at,
            last_failed_at: first_failed_at,
            retry_at: sample::now(),
        }
    }

    #[test]
    fn a_pause_names_stage_duration_and_reason() {
        let workers =
            [worker("extractor", Some("no token")), worker("extractor", None), worker("finalizer", None)];
        assert_eq!(pauses(&workers, sample::now()), ["1 of 2 extractors are paused, for 1m 05s: no token"]);
        assert_eq!(pauses(&workers[..1], sample::now()), ["the extractor is paused, for 1m 05s: no token"]);
        assert!(pauses(&workers[1..], sample::now()).is_empty());
    }

    #[test]
    fn a_pull_is_kept_by_the_stage_it_needs_or_by_its_own_messages() {
        let pull = sample::under_way();
        let told =
            |workers: &[WorkerRow], retries: &[RetryRow]| of_pull(&pull, workers, retries, sample::now());
        assert_eq!(told(&[], &[]), None);
        let paused = told(&[worker("extractor", Some("no token"))], &[retry("extractor", 1)]);
        assert!(paused.is_some_and(|why| why.contains("no token")));
        let again = told(&[worker("extractor", None)], &[retry("extractor", 1)]).expect("a reason");
        assert_eq!(
            again,
            "the extractor has tried 1 message again for 1m 00s (3 attempts): Twitch answered 503"
        );
        let closed = sample::successful();
        assert_eq!(of_pull(&closed, &[worker("extractor", Some("no token"))], &[], sample::now()), None);
    }

    #[test]
    fn only_what_is_tried_for_long_is_not_well() {
        let all = [retry("extractor", 1), retry("finalizer", 11)];
        assert_eq!(retries(&all, sample::now()).len(), 2);
        let long = long_retries(&all, sample::now());
        assert!(long.len() == 1 && long[0].starts_with("the finalizer"), "{long:?}");
    }
}
