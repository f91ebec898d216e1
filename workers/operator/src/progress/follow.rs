//! The following itself: look, show, until the pull has ended, the time is over, or the person has seen enough.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    clock::Clock,
    failure::{Class, Failure},
    schema::PullId,
    store::{self, PullReport, Store, WorkerRow},
};
use tokio::{signal::ctrl_c, time::sleep};

use super::{display::Display, missing_worker::MissingWorker, queue_poller::QueuePoller, rate::Pace};
use crate::{
    context::Context,
    error::{Error, told},
    view,
};

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The same, while the database is away.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// The time between two looks for what keeps the pull from going on.
const OBSTACLES_EVERY: TimeDelta = TimeDelta::seconds(2);
/// The most messages of a stage that are tried again and read.
const MOST_RETRIES: i64 = 1_000;

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The pull came to its end.
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
    pace: Pace,
    missing_worker: MissingWorker,
    pull: PullReport,
    /// How the workers are doing, and when that was asked last.
    workers: Vec<WorkerRow>,
    asked_at: DateTime<Utc>,
    /// What keeps the pull from going on, as it was said.
    obstacle: Option<String>,
    /// The pull that has to be fetched before this one, once that was said.
    behind: Option<PullId>,
}

impl<'a> Follower<'a> {
    /// Ready to follow `pull`.
    pub(crate) fn new(context: &'a Context, store: &'a Store, pull: PullReport) -> Self {
        Self {
            store,
            clock: &context.clock,
            queue_poller: QueuePoller::start(&context.broker),
            display: Display::fit(context.output.json),
            pace: Pace::default(),
            missing_worker: MissingWorker::default(),
            pull,
            workers: Vec::new(),
            asked_at: DateTime::UNIX_EPOCH,
            obstacle: None,
            behind: None,
        }
    }

    /// Follows it for `patience` at most: why that ended, how the pull looked then, and what kept it from going on.
    pub(crate) async fn follow(
        mut self,
        patience: Duration,
    ) -> Result<(Ended, PullReport, Option<String>), Error> {
        let ended = tokio::select! {
            closed = self.until_closed() => closed.map(|()| Ended::Closed),
            () = sleep(patience) => Ok(Ended::TimedOut),
            _ = ctrl_c() => Ok(Ended::Interrupted),
        };
        self.display.clear();
        Ok((ended?, self.pull, self.obstacle))
    }

    async fn until_closed(&mut self) -> Result<(), Failure> {
        loop {
            self.show();
            if self.pull.completed_at.is_some() {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
            self.look().await?;
        }
    }

    fn show(&mut self) {
        let now = self.clock.now();
        self.pace.note(&self.pull, now);
        self.display.show(&self.pull, &self.pace, now);
        if let Some(missing) =
            self.missing_worker.note(&self.pull, &self.queue_poller.queues(), &self.workers, now)
        {
            self.display.remark(&missing);
        }
    }

    /// Looks at the pull; while the database is away, tries again.
    async fn look(&mut self) -> Result<(), Failure> {
        let mut said = false;
        loop {
            let failure = match self.ask().await {
                Ok(()) => return Ok(()),
                Err(error) => Failure::from(error),
            };
            if !matches!(failure.class, Class::Outage | Class::Transient) {
                return Err(failure);
            }
            if !said {
                self.display.remark(&format!("still waiting, but {}", told(&failure)));
                said = true;
            }
            sleep(RETRY_EVERY).await;
        }
    }

    /// Says what keeps the pull from going on, once for each reason, and when it goes on again.
    async fn look_for_obstacles(&mut self) -> Result<(), store::Error> {
        let now = self.clock.now();
        if now - self.asked_at < OBSTACLES_EVERY {
            return Ok(());
        }
        self.asked_at = now;
        self.workers = self.store.worker_states(now).await?;
        let retries = self.store.retries(MOST_RETRIES).await?;
        let obstacle = view::obstacle(&self.pull, &self.workers, &retries, now);
        // The same reason, only for longer, is no news.
        let reason = |told: &Option<String>| told.as_ref().map(|told| view::reason(told).to_owned());
        if reason(&obstacle) != reason(&self.obstacle) {
            match &obstacle {
                Some(obstacle) => self.display.remark(&format!("waiting: {obstacle}")),
                None if self.pull.completed_at.is_none() => self.display.remark("it goes on"),
                None => {}
            }
        }
        self.obstacle = obstacle;
        Ok(())
    }

    async fn ask(&mut self) -> Result<(), store::Error> {
        let id = self.pull.pull_id;
        self.pull = self.store.pull_report(id).await?;
        self.look_for_obstacles().await?;
        if self.pull.pages == 0 && self.behind.is_none() {
            let pulls = self.store.pulls_under_way().await?;
            let fetched =
                |pull: &&PullReport| pull.pull_id != id && pull.pages > 0 && pull.extracted_at.is_none();
            self.behind = pulls.iter().find(fetched).map(|pull| pull.pull_id);
            if let Some(other) = self.behind {
                self.display
                    .remark(&format!("the extractor is busy with pull {other}: pull {id} comes after it"));
            }
        }
        Ok(())
    }
}
