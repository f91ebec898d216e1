//! Tests of the sentences that the operator and the console share, on the operator's samples.

use chrono::TimeDelta;
use shared::{
    steering::PAUSED_BY_PERSON,
    store::{Absence, MissedSlot, PullReport, RetryRow, WorkerRow},
    view::{
        Facts, Health, StageQueues, Vanished, by_stage, describe_absence, long_retries, pauses, person_pause,
        pull_obstacle, retries,
    },
};

use super::status::status;
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
fn a_stage_that_a_person_has_paused_is_told_and_is_no_trouble() {
    let mut stages = working();
    // Nobody reads its queue, whether a worker of it lives or not.
    stages[0].workers = 0;
    let facts = Facts {
        stages,
        paused: vec![sample::stage_pause()],
        last_closed: Some(sample::successful()),
        ..Facts::default()
    };
    let health = Health::from_facts(facts.clone(), sample::now());
    assert!(health.well, "{}", health.verdict);
    let pause = person_pause(&sample::stage_pause());
    assert_eq!(health.verdict, format!("Nothing is wrong; on purpose, {pause}."));
    let shown = status(&health, sample::now());
    let row = shown.lines().find(|line| line.starts_with("extractor ")).expect("a row");
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["extractor", "paused", "0", "0", "0", "0"]);
    let broken = Facts { broker_trouble: Some("RabbitMQ did not answer".into()), ..facts.clone() };
    let health = Health::from_facts(broken, sample::now());
    assert_eq!(health.verdict, format!("Not well: RabbitMQ did not answer. On purpose, {pause}."));

    // A stage that nobody has paused still lacks its worker.
    let facts = Facts { paused: Vec::new(), ..facts };
    let health = Health::from_facts(facts, sample::now());
    assert_eq!(health.verdict, "Not well: no extractor is running.");
}

#[test]
fn an_incomplete_list_is_reported() {
    let health = |reason: &str| {
        let last =
            PullReport { stop_reason: Some(reason.to_owned()), whole: Some(false), ..sample::successful() };
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

#[test]
fn every_absence_is_a_sentence() {
    let pull = sample::stream_trace().pull;
    let words = |absence| describe_absence(absence, &pull);
    assert_eq!(
        words(Absence::PageCap),
        "fetching stopped at MAX_PAGES after 40 pages, down to 10 viewers; nobody looked further"
    );
    assert!(
        words(Absence::BelowMinViewers).contains("MIN_VIEWERS (10): it had fewer viewers, or was not live")
    );
    assert!(words(Absence::NotListed).contains("read to its end"));
    assert!(words(Absence::Failed).starts_with("the pull failed after 40 pages"));
}
