use chrono::TimeDelta;

use super::*;
use crate::failure::Class;

fn outage(code: &'static str) -> Failure {
    Failure::new(Class::Outage, code, "it is away")
}

#[test]
fn a_pause_lasts_from_the_first_trouble_to_the_first_success() {
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let status = Status::new("finalizer", clock.clone(), CancellationToken::new());
    assert_eq!(status.snapshot(), None, "idle");
    status.connected();
    status.consuming();
    assert_eq!(status.trouble(), None);

    clock.advance(TimeDelta::seconds(5));
    status.pause(&outage("store.unreachable"));
    clock.advance(TimeDelta::seconds(5));
    status.half_open();
    assert_eq!(status.state(), Some(State::HalfOpen));
    assert_eq!(
        status.trouble().as_deref(),
        Some("paused: it is away"),
        "not well before a message was handled"
    );
    status.pause(&outage("store.read_only"));
    let told = status.snapshot().expect("a state");
    let pause = told.pause.expect("a reason");
    assert_eq!((told.state, pause.code), (State::Paused, "store.read_only"));
    assert_eq!(pause.since, DateTime::UNIX_EPOCH + TimeDelta::seconds(5), "the first trouble");

    status.half_open();
    status.consuming();
    let told = status.snapshot().expect("a state");
    assert_eq!((told.state, told.pause), (State::Consuming, None));
    assert_eq!(told.since, DateTime::UNIX_EPOCH + TimeDelta::seconds(10));
}

#[test]
fn what_a_person_has_ordered_is_told_before_anything_else_that_is_wrong() {
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let status = Status::new("finalizer", clock.clone(), CancellationToken::new());
    status.connected();
    let ordered = StagePause {
        stage: "finalizer".into(),
        paused_by: "anna".into(),
        reason: Some("the disk is changed".into()),
        paused_at: clock.now(),
        until: Some(clock.now() + TimeDelta::minutes(30)),
    };
    status.ordered(Some(&ordered));
    let why = "paused by anna until 1970-01-01 00:30:00 UTC: the disk is changed";
    assert_eq!(status.trouble().as_deref(), Some(why));
    status.pause(&outage("store.unreachable"));
    assert_eq!(status.trouble().as_deref(), Some(why));
    let told = status.snapshot().expect("a state");
    assert_eq!((told.state, told.pause.expect("a reason").code), (State::Paused, PAUSED_BY_PERSON));
    status.ordered(None);
    assert_eq!(status.trouble().as_deref(), Some("paused: it is away"));
}

#[test]
fn a_worker_that_starts_during_a_pause_is_paused_since_its_start() {
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let ordered = StagePause {
        stage: "finalizer".into(),
        paused_by: "anna".into(),
        reason: None,
        paused_at: clock.now(),
        until: None,
    };
    clock.advance(TimeDelta::hours(8));
    let status = Status::new("finalizer", clock.clone(), CancellationToken::new());
    status.ordered(Some(&ordered));
    clock.advance(TimeDelta::minutes(5));
    let told = status.snapshot().expect("a state");
    let started = DateTime::UNIX_EPOCH + TimeDelta::hours(8);
    assert_eq!((told.since, told.pause.expect("a reason").since), (started, started));
}
