//! Warnings and errors on their way to the database, where they outlive the log.
//!
//! They are collected in memory by their cause, which costs a storm of one cause no more room than a single one; a task
//! writes down what there is, all at once, every second. What is not known to be written down is kept for the next try, also
//! where writing is cut short. The room is bounded: once it is full, events of further causes are dropped and counted, and their
//! number is an event too. What the end of the process leaves unwritten is counted in the log.
//!
//! An event holds what its log line holds, and so no secrets. What is told while events are written down is for the log alone:
//! it would never end.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde_json::Value;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Level, Subscriber};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::{
    super::message::{fingerprint::fingerprint, headers::host},
    log_fields,
};
use crate::{clock::Clock, event::Event, failure::Failure, version::VERSION, worker_state::StatusReporter};

/// Most causes that are kept while they cannot be written down: about 1 MB.
const MOST_CAUSES: usize = 1_000;
/// Longest text of an event, in characters.
const LONGEST_MESSAGE: usize = 1_000;
/// How often what there is is written down, and how soon it is tried again when it could not be.
const EVERY: Duration = Duration::from_secs(1);
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// How long writing may take; when it takes longer, it is done again, and those events may be counted twice.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same once the process ends.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// What this process has to tell: `tracing` has one subscriber per process, and so has this.
static COLLECTED: LazyLock<Collected> = LazyLock::new(Collected::default);

tokio::task_local! {
    /// Set while events are written down.
    static WRITING: ();
}

/// Events by their fingerprint. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
struct Collected(Arc<Mutex<Room>>);

#[derive(Debug, Default)]
struct Room {
    events: BTreeMap<String, Event>,
    /// Events that are being written down: kept until that has succeeded.
    writing: Vec<Event>,
    /// Events that found no room since somebody was last told.
    dropped: u64,
}

impl Room {
    fn add(&mut self, event: Event) {
        if let Some(known) = self.events.get_mut(&event.fingerprint) {
            known.add(event);
        } else if self.events.len() < MOST_CAUSES {
            self.events.insert(event.fingerprint.clone(), event);
        } else {
            self.dropped = self.dropped.saturating_add(event.count);
        }
    }
}

impl Collected {
    fn add(&self, event: Event) {
        self.with(|room| room.add(event));
    }

    /// All there is to be written down, with an event of its own for those that were dropped.
    fn take(&self, stage: &str, now: DateTime<Utc>) -> Vec<Event> {
        self.with(|room| {
            // Whoever wrote these down was cut short.
            for unwritten in std::mem::take(&mut room.writing) {
                room.add(unwritten);
            }
            let dropped = std::mem::take(&mut room.dropped);
            let told = (dropped > 0).then(|| {
                let message = "events were dropped: they could not be written down in time, and there was no room to keep them";
                let code = Some("events.dropped".to_owned());
                Event { count: dropped, ..new_event(Level::WARN, stage, code, message, now) }
            });
            room.writing = std::mem::take(&mut room.events).into_values().chain(told).collect();
            room.writing.clone()
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Room) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down what there is; keeps it where that fails, or has not succeeded when `given_up` ends.
    async fn write(
        &self,
        reporter: &dyn StatusReporter,
        events: &[Event],
        given_up: impl Future<Output = ()>,
    ) -> bool {
        if events.is_empty() {
            return true;
        }
        let written = tokio::select! {
            written = WRITING.scope((), reporter.record_events(events)) => written,
            () = given_up => return false,
        };
        match written {
            Ok(()) => self.with(|room| room.writing.clear()),
            Err(Failure { code, .. }) => tracing::debug!(code, "events are not written down, and are kept"),
        }
        self.with(|room| room.writing.is_empty())
    }
}

/// Collects warnings and errors of the program.
pub(in crate::runtime) struct CollectEvents {
    stage: &'static str,
    to: Collected,
}

impl CollectEvents {
    /// For the process's own.
    pub(in crate::runtime) fn of(stage: &'static str) -> Self {
        Self { stage, to: COLLECTED.clone() }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for CollectEvents {
    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() > Level::WARN || WRITING.try_with(|()| ()).is_ok() {
            return;
        }
        let fields = log_fields::fields(event, &context);
        let text = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| {
            let value = fields.get(name)?;
            value.as_i64().or_else(|| value.as_str()?.parse().ok())
        };
        let message = text("message").unwrap_or_else(|| event.metadata().name().to_owned());
        let now = Clock::System.now();
        let pull_id = number("pull");
        let new = new_event(*event.metadata().level(), self.stage, text("code"), &message, now);
        self.to.add(Event {
            fingerprint: pull_id
                .map_or(new.fingerprint.clone(), |pull| format!("{}-{pull}", new.fingerprint)),
            pull_id,
            chunk: number("chunk").and_then(|chunk| chunk.try_into().ok()),
            trace: text("trace"),
            ..new
        });
    }
}

/// An event that was seen once, about no pull.
fn new_event(level: Level, stage: &str, code: Option<String>, message: &str, now: DateTime<Utc>) -> Event {
    let level = if level == Level::ERROR { "ERROR" } else { "WARN" };
    Event {
        fingerprint: fingerprint(stage, level, code.as_deref().unwrap_or_default(), message, ""),
        level,
        stage: stage.to_owned(),
        code,
        pull_id: None,
        chunk: None,
        // PostgreSQL cannot hold U+0000.
        message: message
            .chars()
            .take(LONGEST_MESSAGE)
            .map(|c| if c == '\0' { '\u{FFFD}' } else { c })
            .collect(),
        trace: None,
        build: VERSION,
        host: host(),
        count: 1,
        first_at: now,
        last_at: now,
    }
}

/// Does `work` as `program`. Its warnings and errors are written down every second, and what is left of them at its end.
///
/// They are those that [`collect_events`](super::logs::collect_events) collects; nobody collects any where it is not part of the logging.
pub async fn recording_events<T>(
    reporter: Option<&dyn StatusReporter>,
    program: &str,
    clock: &Clock,
    work: impl Future<Output = T>,
) -> T {
    let Some(reporter) = reporter else { return work.await };
    let done = CancellationToken::new();
    let working = async {
        let _done = done.clone().drop_guard();
        work.await
    };
    let (ended, ()) = tokio::join!(working, keep(reporter, program, clock, &done));
    keep_last(reporter, program, clock).await;
    ended
}

/// Writes down what the process has to tell, until told to stop; what it is writing then gets a little longer.
async fn keep(reporter: &dyn StatusReporter, program: &str, clock: &Clock, stop: &CancellationToken) {
    let mut wait = EVERY;
    while stop.run_until_cancelled(sleep(wait)).await.is_some() {
        let events = COLLECTED.take(program, clock.now());
        let given_up = async {
            let _ = timeout(PATIENCE, stop.cancelled().then(|()| sleep(LAST_PATIENCE))).await;
        };
        wait = if COLLECTED.write(reporter, &events, given_up).await { EVERY } else { TRY_AGAIN };
    }
}

/// Writes down what is left when the process ends, if that does not take long; otherwise the log tells how much is lost.
async fn keep_last(reporter: &dyn StatusReporter, program: &str, clock: &Clock) {
    let events = COLLECTED.take(program, clock.now());
    if !COLLECTED.write(reporter, &events, sleep(LAST_PATIENCE)).await {
        let lost: u64 = events.iter().map(|event| event.count).sum();
        tracing::warn!(
            code = "events.lost",
            lost,
            "{lost} warnings and errors could not be written down before the end: only the log has them"
        );
    }
}

#[cfg(test)]
mod tests;
