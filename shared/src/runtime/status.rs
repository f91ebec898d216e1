//! What the runtime knows of its own state: connected or not, consuming, paused and why. Told to probes, metrics, the log
//! and, through [`StatusReporter`](crate::worker_state::StatusReporter), to whoever asks the database.
//!
//! Each change of state is logged once: a pause that goes on, or a trouble that comes back after one try, is no news.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::message::headers::host;
use crate::{
    clock::Clock,
    failure::Failure,
    metrics,
    steering::{PAUSED_BY_PERSON, StagePause},
    version::VERSION,
    worker_state::{Pause, State, WorkerState},
};

/// A worker's state. Cheap to clone; clones show the same.
#[derive(Debug, Clone)]
pub(super) struct Status {
    inner: Arc<Mutex<Inner>>,
    changes: watch::Sender<u64>,
    stop: CancellationToken,
    clock: Clock,
    stage: &'static str,
    replica: Arc<str>,
    started: DateTime<Utc>,
}

#[derive(Debug)]
struct Inner {
    connected: bool,
    /// Why there is no session with the broker, once that is known.
    disconnected: Option<Pause>,
    /// None before the worker was ready for the first time, or found that it is not.
    state: Option<State>,
    pause: Option<Pause>,
    /// The pause that a person has ordered, whatever else the state is.
    ordered: Option<Pause>,
    /// Why orders are not heard now.
    deaf: Option<Failure>,
    retry_after: Duration,
    since: DateTime<Utc>,
    in_hand: usize,
}

impl Status {
    pub(super) fn new(stage: &'static str, clock: Clock, stop: CancellationToken) -> Self {
        static REPLICAS: AtomicU64 = AtomicU64::new(0);
        let now = clock.now();
        let number = REPLICAS.fetch_add(1, Ordering::Relaxed);
        let replica = format!("{}-{}-{}-{number}", host(), std::process::id(), now.timestamp_millis());
        let inner = Inner {
            connected: false,
            disconnected: None,
            state: None,
            pause: None,
            ordered: None,
            deaf: None,
            retry_after: Duration::ZERO,
            since: now,
            in_hand: 0,
        };
        let (changes, _) = watch::channel(0);
        Self {
            inner: Arc::new(Mutex::new(inner)),
            changes,
            stop,
            clock,
            stage,
            replica: replica.into(),
            started: now,
        }
    }

    /// There is a session with the broker.
    pub(super) fn connected(&self) {
        self.with(|inner| (inner.connected, inner.disconnected) = (true, None));
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// There is none, and why.
    pub(super) fn disconnected(&self, why: &Failure) {
        let now = self.clock.now();
        self.with(|inner| {
            let since = inner.disconnected.as_ref().map_or(now, |pause| pause.since);
            let reason = format!("not connected to RabbitMQ: {why}");
            (inner.connected, inner.in_hand) = (false, 0);
            inner.disconnected = Some(Pause { code: why.code, reason, since });
        });
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// The state; none while it is idle.
    pub(super) fn state(&self) -> Option<State> {
        self.with(|inner| inner.state)
    }

    /// It takes messages.
    pub(super) fn consuming(&self) {
        if let Some(pause) = self.enter(State::Consuming) {
            let lasted = (self.clock.now() - pause.since).num_seconds();
            tracing::info!(
                stage = self.stage,
                code = pause.code,
                "{} works again after {lasted} s",
                self.stage
            );
        }
    }

    /// It cannot go on, because of this.
    pub(super) fn pause(&self, failure: &Failure) {
        let now = self.clock.now();
        let before = self.with(|inner| {
            let since = inner.pause.as_ref().map_or(now, |pause| pause.since);
            inner.retry_after = failure.retry_after.unwrap_or_default();
            if inner.state != Some(State::Paused) {
                (inner.state, inner.since) = (Some(State::Paused), since);
            }
            inner.pause.replace(Pause { code: failure.code, reason: failure.to_string(), since })
        });
        metrics::paused(true);
        if before.is_none_or(|before| before.code != failure.code) {
            tracing::error!(
                stage = self.stage, class = %failure.class, code = failure.code,
                "{} pauses: {failure}", self.stage
            );
        }
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// A person has paused the stage, or has ended that pause.
    pub(super) fn ordered(&self, pause: Option<&StagePause>) {
        let ordered = pause.map(|pause| Pause {
            code: PAUSED_BY_PERSON,
            reason: pause.describe(),
            // A worker that starts during the pause was not there before.
            since: pause.paused_at.max(self.started),
        });
        let before = self.with(|inner| std::mem::replace(&mut inner.ordered, ordered.clone()));
        if before == ordered {
            return;
        }
        if let Some(pause) = &ordered {
            let (stage, code) = (self.stage, pause.code);
            tracing::warn!(stage, code, "{stage} is paused {}", pause.reason);
        } else {
            tracing::info!(stage = self.stage, "{} is resumed", self.stage);
        }
        metrics::paused(ordered.is_some() || self.is_paused());
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Orders are heard, or why not.
    pub(super) fn hears(&self, deaf: Option<Failure>) {
        self.with(|inner| inner.deaf = deaf);
    }

    /// Why orders are not heard, if they are not.
    pub(super) fn deaf(&self) -> Option<Failure> {
        self.with(|inner| inner.deaf.clone())
    }

    /// It tries one message.
    pub(super) fn half_open(&self) {
        self.with(|inner| inner.state = Some(State::HalfOpen));
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// It was told to stop.
    pub(super) fn draining(&self) {
        self.enter(State::Draining);
    }

    /// Whether it is paused.
    pub(super) fn is_paused(&self) -> bool {
        self.state() == Some(State::Paused)
    }

    /// Whether it is paused for a failure whose code begins so.
    pub(super) fn is_paused_for(&self, code: &str) -> bool {
        self.with(|inner| inner.pause.as_ref().is_some_and(|pause| pause.code.starts_with(code)))
    }

    /// How long it should stay paused at least before it asks again.
    pub(super) fn retry_after(&self) -> Duration {
        self.with(|inner| inner.retry_after)
    }

    /// So many messages are in hand.
    pub(super) fn in_hand(&self, messages: usize) {
        self.with(|inner| inner.in_hand = messages);
    }

    /// Why it could not work right now, if it could not.
    pub(super) fn trouble(&self) -> Option<String> {
        if self.stop.is_cancelled() {
            return Some("draining: told to stop".to_owned());
        }
        self.with(|inner| {
            if let Some(disconnected) = &inner.disconnected {
                return Some(disconnected.reason.clone());
            }
            if !inner.connected {
                return Some("not connected to RabbitMQ".to_owned());
            }
            if let Some(ordered) = &inner.ordered {
                return Some(format!("paused {}", ordered.reason));
            }
            inner.pause.as_ref().map(|pause| format!("paused: {}", pause.reason))
        })
    }

    /// As it is told to whoever asks; none while it is idle.
    pub(super) fn snapshot(&self) -> Option<WorkerState> {
        self.with(|inner| {
            // Whatever else it was: without a session it takes nothing, nor while a person has paused it.
            let held = inner.disconnected.as_ref().or(inner.ordered.as_ref());
            let state = if held.is_some() { State::Paused } else { inner.state? };
            let pause = held.or(inner.pause.as_ref()).cloned();
            let since = pause.as_ref().map_or(inner.since, |pause| pause.since);
            Some(WorkerState {
                stage: self.stage,
                replica: self.replica.to_string(),
                build: VERSION,
                host: host(),
                state,
                pause,
                since,
                in_hand: inner.in_hand,
                allowance: None,
            })
        })
    }

    /// The name that no other process has.
    pub(super) fn replica(&self) -> &str {
        &self.replica
    }

    /// The time.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// News of each change of state.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Enters a state without trouble; the pause that ends with it, if there was one.
    fn enter(&self, state: State) -> Option<Pause> {
        let now = self.clock.now();
        let pause = self.with(|inner| {
            if inner.state != Some(state) {
                (inner.state, inner.since) = (Some(state), now);
            }
            inner.retry_after = Duration::ZERO;
            inner.pause.take()
        });
        metrics::paused(self.with(|inner| inner.ordered.is_some()));
        self.changes.send_modify(|changes| *changes += 1);
        pause
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
