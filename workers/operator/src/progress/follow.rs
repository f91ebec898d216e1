//! The following itself: look, show, until the pull has ended, the time is over, or the person has seen enough.

use std::time::Duration;

use shared::{
    clock::Clock,
    failure::{Class, Failure},
    schema::PullId,
    store::{self, PullReport, Store},
};
use tokio::{signal::ctrl_c, time::sleep};

use super::{absence::Absence, display::Display, lookout::Lookout, pace::Pace};
use crate::{
    context::Context,
    error::{Error, told},
};

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The same, while the database is away.
const RETRY_EVERY: Duration = Duration::from_secs(1);

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
    lookout: Lookout,
    display: Display,
    pace: Pace,
    absence: Absence,
    pull: PullReport,
    /// The pull that has to be fetched before this one, once that was said.
    behind: Option<PullId>,
}

impl<'a> Follower<'a> {
    /// Ready to follow `pull`.
    pub(crate) fn new(context: &'a Context, store: &'a Store, pull: PullReport) -> Self {
        Self {
            store,
            clock: &context.clock,
            lookout: Lookout::start(&context.broker),
            display: Display::fit(context.output.json),
            pace: Pace::default(),
            absence: Absence::default(),
            pull,
            behind: None,
        }
    }

    /// Follows it for `patience` at most: why that ended, and how the pull looked then.
    pub(crate) async fn follow(mut self, patience: Duration) -> Result<(Ended, PullReport), Error> {
        let ended = tokio::select! {
            closed = self.until_closed() => closed.map(|()| Ended::Closed),
            () = sleep(patience) => Ok(Ended::TimedOut),
            _ = ctrl_c() => Ok(Ended::Interrupted),
        };
        self.display.clear();
        Ok((ended?, self.pull))
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
        if let Some(absence) = self.absence.note(&self.pull, &self.lookout.queues(), now) {
            self.display.remark(&absence);
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

    async fn ask(&mut self) -> Result<(), store::Error> {
        let id = self.pull.pull_id;
        self.pull = self.store.pull_report(id).await?;
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
