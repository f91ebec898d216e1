//! Polls and shows a pull until it has ended, the time is over, or the person presses Ctrl-C.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    clock::Clock,
    failure::{Class, Failure},
    schema::PullId,
    store::{self, PullReport, Store, WorkerRow},
    view::describe_failure,
};
use tokio::{
    signal::ctrl_c,
    time::{sleep, timeout},
};

use super::{display::Display, missing_worker::MissingWorker, queue_poller::QueuePoller, rate::Rate};
use crate::{context::Context, error::Error, view};

/// The time between two polls.
const POLL_EVERY: Duration = Duration::from_millis(250);
/// The same, while the database is unavailable.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// How long the database may take to answer before that is told.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The time between two checks for what stops the pull.
const OBSTACLES_EVERY: TimeDelta = TimeDelta::seconds(2);
/// The most retried messages per stage that are read.
const MOST_RETRIES: i64 = 1_000;

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The pull has ended.
    Closed,
    /// The time is over.
    TimedOut,
    /// Ctrl-C.
    Interrupted,
}

/// Follows one pull.
pub(crate) struct Follower<'a> {
    store: &'a Store,
    clock: &'a Clock,
    queue_poller: QueuePoller,
    display: Display,
    rate: Rate,
    missing_worker: MissingWorker,
    pull: PullReport,
    /// The workers' states, and when they were read.
    workers: Vec<WorkerRow>,
    checked_at: DateTime<Utc>,
    /// What stops the pull, as it was reported.
    obstacle: Option<String>,
    /// The pull that is fetched before this one, once that was reported.
    behind: Option<PullId>,
}

impl<'a> Follower<'a> {
    /// Ready to follow `pull`.
    pub(crate) fn new(context: &'a Context, store: &'a Store, pull: PullReport) -> Self {
        Self {
            store,
            clock: &context.clock,
            queue_poller: QueuePoller::start(&context.broker),
            display: Display::new(context.output.json),
            rate: Rate::default(),
            missing_worker: MissingWorker::default(),
            pull,
            workers: Vec::new(),
            checked_at: DateTime::UNIX_EPOCH,
            obstacle: None,
            behind: None,
        }
    }

    /// Follows it for `timeout` at most. Returns why that ended, the pull as it was then, and what stopped it.
    pub(crate) async fn follow(
        mut self,
        timeout: Duration,
    ) -> Result<(Ended, PullReport, Option<String>), Error> {
        let ended = tokio::select! {
            closed = self.until_closed() => closed.map(|()| Ended::Closed),
            () = sleep(timeout) => Ok(Ended::TimedOut),
            _ = ctrl_c() => Ok(Ended::Interrupted),
        };
        self.display.clear();
        Ok((ended?, self.pull, self.obstacle))
    }

    async fn until_closed(&mut self) -> Result<(), Failure> {
        loop {
            self.show().await;
            if self.pull.completed_at.is_some() {
                return Ok(());
            }
            sleep(POLL_EVERY).await;
            self.poll().await?;
        }
    }

    async fn show(&mut self) {
        let now = self.clock.now();
        self.rate.record(&self.pull, now);
        self.display.show(&self.pull, &self.rate, now);
        if let Some(missing) =
            self.missing_worker.check(&self.pull, &self.queue_poller.queues(), &self.workers, now)
        {
            // In a database that takes nothing no worker can write that it is there.
            let written = timeout(ANSWER_WITHIN, self.store.try_write()).await;
            let written = written.unwrap_or(Err(store::Error::Silent));
            self.display.warn(&written.map_or_else(|error| describe_failure(&error.into()), |()| missing));
        }
    }

    /// Reads the pull again; tries until the database is available.
    async fn poll(&mut self) -> Result<(), Failure> {
        let mut warned = false;
        loop {
            let failure = match timeout(ANSWER_WITHIN, self.read()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => Failure::from(error),
                Err(_) => store::Error::Silent.into(),
            };
            // All else passes: the pull goes on without us, and so do we.
            if failure.class == Class::Permanent {
                return Err(failure);
            }
            if !warned {
                self.display.warn(&format!("still waiting: {}", describe_failure(&failure)));
                warned = true;
            }
            sleep(RETRY_EVERY).await;
        }
    }

    /// Reports what stops the pull, once per reason, and when it continues.
    async fn check_obstacles(&mut self) -> Result<(), store::Error> {
        let now = self.clock.now();
        if now - self.checked_at < OBSTACLES_EVERY {
            return Ok(());
        }
        self.checked_at = now;
        self.workers = self.store.worker_states(now).await?;
        let retries = self.store.retries(MOST_RETRIES).await?;
        let ordered = self.store.stage_pauses(now).await?;
        let obstacle = view::pull_obstacle(&self.pull, &ordered, &self.workers, &retries, now);
        // The same reason, only for longer, is no news.
        let reason =
            |obstacle: &Option<String>| obstacle.as_deref().map(|text| view::reason(text).to_owned());
        if reason(&obstacle) != reason(&self.obstacle) {
            match &obstacle {
                Some(obstacle) => self.display.warn(&format!("waiting: {obstacle}")),
                None if self.pull.completed_at.is_none() => self.display.warn("the pull continues"),
                None => {}
            }
        }
        self.obstacle = obstacle;
        Ok(())
    }

    async fn read(&mut self) -> Result<(), store::Error> {
        let id = self.pull.pull_id;
        self.pull = self.store.pull_report(id).await?;
        self.check_obstacles().await?;
        if self.pull.pages == 0 && self.behind.is_none() {
            let pulls = self.store.pulls_under_way().await?;
            let fetched =
                |pull: &&PullReport| pull.pull_id != id && pull.pages > 0 && pull.extracted_at.is_none();
            self.behind = pulls.iter().find(fetched).map(|pull| pull.pull_id);
            if let Some(other) = self.behind {
                self.display.warn(&view::behind(id, other));
            }
        }
        Ok(())
    }
}
