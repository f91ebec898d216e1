//! The whole broker as one typed table: stages, retry rungs, dead letters, events.
//!
//! Start here. A stage reads one kind of message and announces another; stages that do not fit together do not
//! compile. This module only names and describes; `runtime` declares it and moves messages through it.
//!
//! ```text
//! work ──pull-requested──▶ extractor ──chunk-stored──▶ game-enricher ──games-filled──▶ channel-enricher
//!                                                            ──channels-filled──▶ finalizer ──▶ events: pull.completed
//! <stage> ──transient──▶ <stage>.retry.<ms> ──delay──▶ <stage>          (quorum: work is never lost)
//! <stage> ──permanent──▶ dead-letters ──▶ <stage>.dead                  (classic: can be looked at without harm)
//! <stage>.dead ──operator replays──▶ <stage>.replay ──▶ <stage>, when it has nothing else to do
//! dead-letters ──a copy of each──▶ dead-letters.ledger ──▶ table dead_letter
//! extractor ──records that fail validation──▶ streams.rejected
//! ```
//!
//! The arguments of a queue cannot be changed after it was declared, so a delay is part of its queue's name, and a
//! changed schedule makes new queues. Why each argument is as it is: workers/operator/README.md, "What the broker does".

use std::{marker::PhantomData, time::Duration};

use crate::schema::{
    ChannelsFilled, ChunkStored, GamesFilled, Message, PullClosed, PullRequested, PullStatus,
    RecordsRejected, encode,
};

/// Direct exchange of the work queues; the routing key is the kind of message.
pub const WORK: &str = "work";
/// Direct exchange of the dead-letter queues; the routing key is the stage.
pub const DEAD_LETTERS: &str = "dead-letters";
/// Topic exchange for whatever comes next: `pull.completed`, `pull.failed`.
pub const EVENTS: &str = "events";
/// Classic queue of the news that records failed validation.
pub const REJECTED: &str = "streams.rejected";
/// Most messages in it: pages with rejected records, some days' worth of them as a rule.
const REJECTED_MESSAGES: i64 = 10_000;
/// How long a message stays in it, in milliseconds: a week.
const REJECTED_FOR_MILLIS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// Queue of copies of all dead letters, and of what became of replays; a finalizer keeps the dead-letter store from it.
pub const DEAD_LETTER_RECORDS: &str = "dead-letters.ledger";
/// Routing key, on [`DEAD_LETTERS`], of the news that a replayed message was handled.
pub const RESOLVED: &str = "cured";

/// Deliveries of one message that may end with its worker's death before the broker itself dead-letters it. A crash
/// guard, not the retry counter: every prefetched message of a killed worker spends one.
pub const DELIVERY_LIMIT: u32 = 20;

/// Pages through the live streams, one pull at a time.
pub const EXTRACTOR: Stage<PullRequested, ChunkStored> = Stage::named("extractor").prefetch(1);
/// Learns games; many chunks in hand, because hundreds of chunks may share one call.
pub const GAME_ENRICHER: Stage<ChunkStored, GamesFilled> = Stage::named("game-enricher").prefetch(500);
/// Learns channels; fewer chunks in hand, so that replicas share the work.
pub const CHANNEL_ENRICHER: Stage<GamesFilled, ChannelsFilled> =
    Stage::named("channel-enricher").prefetch(100);
/// Merges and closes; two transactions' worth of chunks in hand, and as many on their way.
pub const FINALIZER: Stage<ChannelsFilled, PullClosed> = Stage::named("finalizer").prefetch(64);

/// Each stage speaks the language the next one understands; otherwise this does not compile.
const _: () = {
    EXTRACTOR.feeds(&GAME_ENRICHER);
    GAME_ENRICHER.feeds(&CHANNEL_ENRICHER);
    CHANNEL_ENRICHER.feeds(&FINALIZER);
};

/// All stages, in the order of the flow.
pub const STAGES: [StageInfo; 4] =
    [EXTRACTOR.info(), GAME_ENRICHER.info(), CHANNEL_ENRICHER.info(), FINALIZER.info()];

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
    types: PhantomData<fn(In) -> Out>,
}

impl<In: Message, Out: Routed> Stage<In, Out> {
    /// A stage with one message in hand at a time.
    const fn named(name: &'static str) -> Self {
        Self { name, prefetch: 1, types: PhantomData }
    }

    /// How many messages a worker of this stage may have in hand.
    const fn prefetch(self, prefetch: u16) -> Self {
        Self { prefetch, ..self }
    }

    /// Compiles only when `next` reads what this stage announces.
    pub const fn feeds<Next>(&self, _next: &Stage<Out, Next>) {}

    /// The stage without its types.
    pub const fn info(&self) -> StageInfo {
        StageInfo { name: self.name, reads: In::KIND, announces: Out::KIND, prefetch: self.prefetch }
    }

    /// What this stage says to the next.
    pub fn announce(&self, out: &Out) -> Announcement {
        Announcement::of(out)
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
}

impl StageInfo {
    /// The stage of that name.
    pub fn find(name: &str) -> Option<Self> {
        STAGES.into_iter().find(|stage| stage.name == name)
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

/// The delays of the retry rungs, shortest first. A message climbs one rung with each failed attempt, and is
/// dead-lettered when it fails after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryDelays(Vec<Duration>);

impl Default for RetryDelays {
    fn default() -> Self {
        Self([1, 5, 15, 60, 300].map(Duration::from_secs).to_vec())
    }
}

/// A list of delays that cannot be a schedule.
#[derive(Debug, thiserror::Error)]
#[error("{0}: write delays from the shortest to the longest, such as 1s,5s,15s,1m,5m, each from 1ms to 1day")]
pub struct InvalidDelays(String);

impl std::str::FromStr for RetryDelays {
    type Err = InvalidDelays;

    fn from_str(text: &str) -> Result<Self, InvalidDelays> {
        let delays: Vec<Duration> = text
            .split(',')
            .map(|delay| {
                humantime::parse_duration(delay.trim()).map_err(|error| InvalidDelays(error.to_string()))
            })
            .collect::<Result<_, _>>()?;
        let bounds = Duration::from_millis(1)..=Duration::from_hours(24);
        if delays.iter().all(|delay| bounds.contains(delay)) && delays.is_sorted_by(|a, b| a < b) {
            Ok(Self(delays))
        } else {
            Err(InvalidDelays(format!("{text:?} is not a rising list of delays")))
        }
    }
}

impl RetryDelays {
    /// The delay after the given number of failed attempts, from 1; none when they are spent.
    pub fn after(&self, failed_attempts: u32) -> Option<Duration> {
        let rung = usize::try_from(failed_attempts.checked_sub(1)?).ok()?;
        self.0.get(rung).copied()
    }

    /// Whether a message that failed `failed_attempts` times will be tried once more, and then never again.
    pub fn is_last(&self, failed_attempts: u32) -> bool {
        usize::try_from(failed_attempts).is_ok_and(|attempts| attempts == self.0.len())
    }

    /// All delays, shortest first.
    pub fn iter(&self) -> impl Iterator<Item = Duration> {
        self.0.iter().copied()
    }
}

/// An argument of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

/// A queue as it has to be declared; always durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<(&'static str, Argument)>,
    /// The exchanges and routing keys it is bound with.
    pub bindings: Vec<(&'static str, &'static str)>,
    /// Whether it may be deleted with what is in it, and made again, where it is there with other arguments.
    pub replaceable: bool,
}

/// Every exchange: its name, and whether it is a topic exchange (otherwise direct). All are durable.
pub const EXCHANGES: [(&str, bool); 3] = [(WORK, false), (DEAD_LETTERS, false), (EVENTS, true)];

/// Every queue of the system.
pub fn queues(delays: &RetryDelays) -> Vec<Queue> {
    let stages = STAGES.into_iter().flat_map(|stage| {
        let rungs = delays.iter().map(move |delay| retry_queue(stage, delay));
        [work_queue(stage), replay_queue(stage), dead_queue(stage)].into_iter().chain(rungs)
    });
    stages.chain([rejected_queue(), records_queue()]).collect()
}

fn work_queue(stage: StageInfo) -> Queue {
    let mut arguments = at_least_once(DEAD_LETTERS, stage.name);
    arguments.push(("x-delivery-limit", Argument::Number(DELIVERY_LIMIT.into())));
    Queue {
        name: stage.queue().to_owned(),
        arguments,
        bindings: vec![(WORK, stage.reads)],
        replaceable: false,
    }
}

fn replay_queue(stage: StageInfo) -> Queue {
    Queue { name: stage.replay(), bindings: Vec::new(), ..work_queue(stage) }
}

/// Copies only, so it has no dead letters of its own; a limit beyond reach, because one that is reached deletes.
fn records_queue() -> Queue {
    let text = |value: &str| Argument::Text(value.to_owned());
    let arguments =
        vec![("x-queue-type", text("quorum")), ("x-delivery-limit", Argument::Number(1_000_000_000))];
    let keys = STAGES.into_iter().map(|stage| stage.name).chain([RESOLVED]);
    let bindings = keys.map(|key| (DEAD_LETTERS, key)).collect();
    Queue { name: DEAD_LETTER_RECORDS.to_owned(), arguments, bindings, replaceable: false }
}

/// One queue a delay: messages of different delays in one queue would wait for each other.
fn retry_queue(stage: StageInfo, delay: Duration) -> Queue {
    let mut arguments = at_least_once("", stage.queue());
    let ttl = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    arguments.push(("x-message-ttl", Argument::Number(ttl)));
    Queue { name: stage.retry(delay), arguments, bindings: Vec::new(), replaceable: false }
}

fn dead_queue(stage: StageInfo) -> Queue {
    classic(stage.dead(), stage.name)
}

/// A quorum queue that hands on what leaves it unacknowledged without a moment in which the message is nowhere.
fn at_least_once(exchange: &str, key: &str) -> Vec<(&'static str, Argument)> {
    let text = |value: &str| Argument::Text(value.to_owned());
    vec![
        ("x-queue-type", text("quorum")),
        ("x-dead-letter-exchange", text(exchange)),
        ("x-dead-letter-routing-key", text(key)),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]
}

/// A quorum queue would lose dead letters by being looked at: every look spends a delivery.
fn classic(name: String, key: &'static str) -> Queue {
    let arguments = vec![("x-queue-type", Argument::Text("classic".to_owned()))];
    Queue { name, arguments, bindings: vec![(DEAD_LETTERS, key)], replaceable: false }
}

/// News for whoever wants it, bounded in number and age. The records are in the database, so what leaves the queue at its
/// head, or with a queue of other bounds, is no loss.
fn rejected_queue() -> Queue {
    let queue = classic(REJECTED.to_owned(), REJECTED);
    let bounds = [("x-max-length", REJECTED_MESSAGES), ("x-message-ttl", REJECTED_FOR_MILLIS)];
    let bounds = bounds.map(|(name, bound)| (name, Argument::Number(bound)));
    Queue { arguments: queue.arguments.into_iter().chain(bounds).collect(), replaceable: true, ..queue }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_rise_and_end() {
        let delays: RetryDelays = "1s, 5s,1m".parse().unwrap();
        assert_eq!(delays.after(1), Some(Duration::from_secs(1)));
        assert_eq!(delays.after(3), Some(Duration::from_mins(1)));
        assert_eq!(delays.after(4), None);
        assert!(delays.is_last(3) && !delays.is_last(2));
        for bad in ["", "5s,1s", "1s,1s", "0s", "2days", "soon"] {
            assert!(bad.parse::<RetryDelays>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_dead_letter_queue_can_be_looked_at_and_work_cannot_be_lost() {
        for queue in queues(&RetryDelays::default()) {
            let is = |name, value: &str| queue.arguments.contains(&(name, Argument::Text(value.to_owned())));
            if queue.name == DEAD_LETTER_RECORDS {
                assert!(is("x-queue-type", "quorum"));
            } else if queue.name == REJECTED {
                assert!(queue.replaceable && is("x-queue-type", "classic"), "news only, and bounded");
                assert_eq!(queue.arguments.len(), 3, "{queue:?}");
            } else if queue.bindings.iter().any(|(exchange, _)| *exchange == DEAD_LETTERS) {
                assert_eq!(queue.arguments.len(), 1, "{}", queue.name);
                assert!(is("x-queue-type", "classic"), "{}", queue.name);
            } else {
                assert!(
                    is("x-queue-type", "quorum") && is("x-dead-letter-strategy", "at-least-once"),
                    "{}",
                    queue.name
                );
                assert!(
                    is("x-overflow", "reject-publish"),
                    "without it the broker silently falls back: {}",
                    queue.name
                );
            }
        }
    }
}
