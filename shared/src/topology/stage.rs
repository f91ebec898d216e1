//! A stage and what it says: typed, so that stages that do not fit together do not compile.

use std::{marker::PhantomData, time::Duration};

use super::exchange::{DEAD_LETTERS, EVENTS, REJECTED, WORK};
use crate::schema::{
    ChannelsFilled, ChunkStored, GamesFilled, Message, PullClosed, PullExported, PullRequested, PullStatus,
    RecordsRejected, encode,
};

/// A stage of the flow: reads `In`, announces `Out`.
///
/// ```
/// use shared::topology::{EXTRACTOR, GAME_ENRICHER};
/// EXTRACTOR.feeds(&GAME_ENRICHER);
/// ```
/// Stages that do not meet do not compile:
/// ```compile_fail,E0308
/// use shared::topology::{EXTRACTOR, FINALIZER};
/// EXTRACTOR.feeds(&FINALIZER);
/// ```
/// Nor does a stage announce what is another's to say:
/// ```compile_fail,E0308
/// use shared::{schema::{PullId, PullRequested}, topology::GAME_ENRICHER};
/// GAME_ENRICHER.announce(&PullRequested { pull_id: PullId(1) });
/// ```
#[derive(Debug)]
pub struct Stage<In, Out> {
    name: &'static str,
    prefetch: u16,
    event: Option<&'static str>,
    types: PhantomData<fn(In) -> Out>,
}

impl<In: Message, Out: Routed> Stage<In, Out> {
    /// A stage with one message in hand at a time.
    pub(super) const fn named(name: &'static str) -> Self {
        Self { name, prefetch: 1, event: None, types: PhantomData }
    }

    /// A stage that reads an event instead of work of its own, and may be left out.
    pub(super) const fn listens_to(self, event: &'static str) -> Self {
        Self { event: Some(event), ..self }
    }

    /// How many messages a worker of this stage may have in hand.
    pub(super) const fn prefetch(self, prefetch: u16) -> Self {
        Self { prefetch, ..self }
    }

    /// Compiles only when `next` reads what this stage announces.
    pub const fn feeds<Next>(&self, _next: &Stage<Out, Next>) {}

    /// The stage without its types.
    pub const fn info(&self) -> StageInfo {
        StageInfo {
            name: self.name,
            reads: In::KIND,
            announces: Out::KIND,
            prefetch: self.prefetch,
            event: self.event,
        }
    }

    /// What this stage says to the next.
    pub fn announce(&self, out: &Out) -> Announcement {
        Announcement::of(out)
    }

    /// An event once more, for this stage alone: straight into its queue.
    pub fn repeat(&self, event: &In) -> Announcement {
        let route = Route { exchange: "", key: self.name, mandatory: true };
        Announcement { route, kind: In::KIND, id: event.id(), body: encode(event) }
    }

    /// Work for this stage, from outside the flow: a schedule, a person, a rescue.
    pub fn request(&self, work: &In) -> Announcement
    where
        In: Routed,
    {
        Announcement::of(work)
    }
}

/// A stage's names and numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageInfo {
    /// The stage, its worker and its work queue.
    pub name: &'static str,
    /// The kind of message it reads.
    pub reads: &'static str,
    /// The kind of message it announces.
    pub announces: &'static str,
    /// How many messages one worker may have in hand.
    pub prefetch: u16,
    /// The event that it listens to, of a stage that may be left out.
    pub event: Option<&'static str>,
}

impl StageInfo {
    /// What its work queue is bound to: the exchange and the routing key.
    pub(super) const fn source(&self) -> (&'static str, &'static str) {
        match self.event {
            Some(event) => (EVENTS, event),
            None => (WORK, self.reads),
        }
    }

    /// The work queue.
    pub const fn queue(&self) -> &'static str {
        self.name
    }

    /// The queue of its dead letters.
    pub fn dead(&self) -> String {
        format!("{}.dead", self.name)
    }

    /// The queue of replayed messages: read only while the work queue has nothing, so that a live pull goes first.
    pub fn replay(&self) -> String {
        format!("{}.replay", self.name)
    }

    /// The queue in which a message waits `delay` before it comes back.
    pub fn retry(&self, delay: Duration) -> String {
        format!("{}.retry.{}", self.name, delay.as_millis())
    }
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The exchange.
    pub exchange: &'static str,
    /// The routing key.
    pub key: &'static str,
    /// Whether it is an error that no queue takes it. An event may have no listener; work always has one.
    pub mandatory: bool,
}

/// A message that has a place in the topology.
pub trait Routed: Message {
    /// Where it goes.
    fn route(&self) -> Route;
}

macro_rules! work {
    ($($message:ty),*) => {$(
        impl Routed for $message {
            fn route(&self) -> Route {
                Route { exchange: WORK, key: Self::KIND, mandatory: true }
            }
        }
    )*};
}

work!(PullRequested, ChunkStored, GamesFilled, ChannelsFilled);

impl Routed for RecordsRejected {
    fn route(&self) -> Route {
        // It only repeats what the database holds: a queue that is away for a while must not keep the pull from going on.
        Route { exchange: DEAD_LETTERS, key: REJECTED, mandatory: false }
    }
}

impl Routed for PullExported {
    fn route(&self) -> Route {
        Route { exchange: EVENTS, key: "lake.exported", mandatory: false }
    }
}

impl Routed for PullClosed {
    fn route(&self) -> Route {
        let key = if self.status == PullStatus::Success { "pull.completed" } else { "pull.failed" };
        Route { exchange: EVENTS, key, mandatory: false }
    }
}

/// A message ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Where it goes.
    pub route: Route,
    /// Its kind, as the `type` property.
    pub kind: &'static str,
    /// Its name, as the `message_id` property; the same for the same work announced again.
    pub id: String,
    /// The body, JSON.
    pub body: Vec<u8>,
}

impl Announcement {
    /// Makes a message ready. Workers use [`Stage::announce`], which knows what they may say.
    pub fn of<M: Routed>(message: &M) -> Self {
        Self { route: message.route(), kind: M::KIND, id: message.id(), body: encode(message) }
    }
}
