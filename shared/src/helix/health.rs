//! Whether Twitch itself is in trouble, judged by the calls of this process. Makes no call.
//!
//! One call that fails may be its message's fault: a batch that Twitch always answers with 500, say. When a probe fails after
//! it, or call after call for a while, it is Twitch: then the stage should pause instead of charging its messages.

use std::sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64};

use chrono::{DateTime, TimeDelta, Utc};

use super::Error;
use crate::failure::{Class, Failure};

/// So many calls in a row have to fail before it is Twitch's trouble.
const FAILED_CALLS: u32 = 3;
/// And the first of them has to be this long ago.
const FAILING_FOR: TimeDelta = TimeDelta::seconds(10);
/// A failure this long after the one before begins a new row: in between, nobody knows how Twitch was.
const FORGOTTEN_AFTER: TimeDelta = TimeDelta::minutes(10);

/// What the latest calls came to.
#[derive(Default)]
pub(super) struct Health {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Calls that failed in a row.
    failed: u32,
    first: DateTime<Utc>,
    latest: DateTime<Utc>,
    /// Whether the latest call found that nothing works at the moment: an outage, or no token that Twitch takes.
    down: bool,
}

impl Health {
    /// Learns from what became of a call, and turns its error into an outage when it is one.
    pub(super) fn note<T>(&self, outcome: Result<T, Error>, now: DateTime<Utc>) -> Result<T, Error> {
        let mut state = self.state();
        let error = match outcome {
            Ok(answer) => {
                *state = State::default();
                return Ok(answer);
            }
            Err(error) => error,
        };
        if !error.is_trouble() {
            match error {
                // Twitch gave no verdict on the call, but it is there to refuse it.
                Error::BadRequest { .. } | Error::Gone { .. } => *state = State::default(),
                Error::Unauthorized { .. }
                | Error::Token(Failure { class: Class::Auth | Class::Outage, .. }) => state.down = true,
                _ => {}
            }
            return Err(error);
        }
        if state.failed == 0 || now - state.latest >= FORGOTTEN_AFTER {
            (state.failed, state.first) = (0, now);
        }
        state.failed = state.failed.saturating_add(1);
        state.latest = now;
        if state.failed < FAILED_CALLS || now - state.first < FAILING_FOR {
            return Err(error);
        }
        drop(state);
        Err(self.outage(error, now))
    }

    /// The outage that a call met, with those that failed before it.
    pub(super) fn outage(&self, latest: Error, now: DateTime<Utc>) -> Error {
        let mut state = self.state();
        if state.failed == 0 {
            // Another call has succeeded meanwhile.
            (state.failed, state.first, state.latest) = (1, now, now);
        }
        state.down = true;
        Error::Outage { calls: state.failed, since: state.first, latest: Box::new(latest) }
    }

    /// Whether the latest call found that nothing works at the moment.
    pub(super) fn is_down(&self) -> bool {
        self.state().down
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The probes of a process, one at a time.
#[derive(Default)]
pub(super) struct Probes {
    pub(super) made: AtomicU64,
    /// What the latest of them failed with, if it did.
    pub(super) latest: tokio::sync::Mutex<Option<Failure>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Result<(), Error> {
        Err(Error::Server { endpoint: "streams", status: 503, message: "busy".into() })
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn class(outcome: Result<(), Error>) -> Class {
        Failure::from(outcome.unwrap_err()).class
    }

    #[test]
    fn calls_that_fail_in_a_row_for_a_while_are_an_outage() {
        let health = Health::default();
        for (second, expected) in
            [(0, Class::Transient), (1, Class::Transient), (6, Class::Transient), (21, Class::Outage)]
        {
            assert_eq!(class(health.note(server(), at(second))), expected, "after {second} s");
        }
        assert!(health.is_down());
        let error = health.note(server(), at(30)).unwrap_err().to_string();
        assert!(error.contains("since 2023-11-14T22:13:20Z") && error.contains("5 calls"), "{error}");
        assert!(error.contains("503 from /streams: busy"), "{error}");

        health.note(Ok(()), at(40)).unwrap();
        assert!(!health.is_down());
        assert_eq!(class(health.note(server(), at(41))), Class::Transient, "judged anew");
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let health = Health::default();
        for second in [0, 1, 3_000, 3_001] {
            assert_eq!(class(health.note(server(), at(second))), Class::Transient, "after {second} s");
        }
    }

    #[test]
    fn an_answer_that_refuses_the_call_is_an_answer() {
        let health = Health::default();
        for second in [0, 5, 12] {
            assert!(health.note(server(), at(second)).is_err());
        }
        let refusal = Error::BadRequest { endpoint: "streams", message: "Invalid cursor.".into() };
        assert_eq!(class(health.note(Err(refusal), at(13))), Class::Permanent);
        assert_eq!(class(health.note(server(), at(14))), Class::Transient);
    }
}
