//! What a worker is: messages in, announcements out.

use std::{future::Future, sync::Arc, time::Duration};

use super::{Announcer, Duty};
use crate::{
    dead_letter::{DeadLetter, DeadLetterStore},
    failure::Failure,
    schema::Message,
    steering::Steering,
    topology::{Announcement, Routed, Stage},
    worker_state::{Allowance, StatusReporter},
};

/// A message in hand.
#[derive(Debug, Clone)]
pub struct Job<In> {
    /// The message.
    pub message: In,
    /// How long it has been in hand.
    pub held: Duration,
    /// How many steps were made with it since it was delivered; see [`Step::More`].
    pub steps: u32,
}

/// What became of a job that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It is done. The announcements are published, then the message is acknowledged.
    Done(Vec<Announcement>),
    /// There is more to do with it. The announcements are published, and the job is handed in again.
    More(Vec<Announcement>),
    /// Nothing yet: it is handed in again after the delay, or together with the next to arrive.
    Hold(Duration),
}

/// What became of a job.
pub type Outcome = Result<Step, Failure>;

/// A stage's work. The runtime hands in messages and carries out what comes back.
///
/// `handle` must be idempotent: a message comes again after a crash, a lost connection or a replay.
pub trait Worker: Send + Sync + 'static {
    /// The message it reads.
    type In: Message + Clone;
    /// The message it announces.
    type Out: Routed;

    /// How long one call of [`handle`](Self::handle) may take. Divided three times, a batch of hundreds with one message that
    /// hangs takes four such calls, which is within the time that a message may be in hand.
    const HANDLE_TIMEOUT: Duration = Duration::from_mins(2);

    /// Its stage.
    const STAGE: Stage<Self::In, Self::Out>;

    /// Handles the jobs in hand: as many outcomes, in the same order.
    ///
    /// May be given fewer than are in hand, and one by itself when it is to be found out which one is to blame.
    fn handle(&self, jobs: &[Job<Self::In>]) -> impl Future<Output = Vec<Outcome>> + Send;

    /// Where its dead letters are recorded.
    fn dead_letters(&self) -> &dyn DeadLetterStore;

    /// Gives a message up: notes what that means and records its dead letter, in one transaction. What it returns is
    /// announced with the dead letter. May be called again for a message that was given up before.
    fn give_up(
        &self,
        message: &Self::In,
        failure: &Failure,
        dead_letter: &DeadLetter,
    ) -> impl Future<Output = Result<Vec<Announcement>, Failure>> + Send {
        let _ = (message, failure);
        async move { self.dead_letters().record(dead_letter).await.map(|()| Vec::new()) }
    }

    /// Whether what it depends on, besides the broker, answers. Cheap: asked by every readiness probe.
    fn ready(&self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Where it tells how it is doing, if anywhere.
    fn status_reporter(&self) -> Option<&dyn StatusReporter> {
        None
    }

    /// What it may still spend of a budget that all replicas share, if it has one.
    fn allowance(&self) -> Option<Allowance> {
        None
    }

    /// Where it learns what people order, if anywhere.
    fn steering(&self) -> Option<&dyn Steering> {
        None
    }

    /// What it does beside its messages: a schedule, a watch; `announcer` announces what comes of it.
    fn duties(self: Arc<Self>, announcer: Announcer) -> Vec<Duty> {
        drop(announcer);
        Vec::new()
    }
}
