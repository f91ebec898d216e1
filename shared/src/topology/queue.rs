//! Queues as they have to be declared.

use std::time::Duration;

use super::{
    exchange::{DEAD_LETTERS, REJECTED},
    retry_delays::RetryDelays,
    stage::StageInfo,
};

/// Deliveries of one message that may end with its worker's death before the broker itself dead-letters it. A crash
/// guard, not the retry counter: every prefetched message of a killed worker spends one.
pub const DELIVERY_LIMIT: u32 = 20;
/// Most messages in it: pages with rejected records, some days' worth of them as a rule.
const REJECTED_MESSAGES: i64 = 10_000;
/// How long a message stays in it, in milliseconds: a week.
const REJECTED_FOR_MILLIS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Of work: a slot is skipped while a pull is under way, and each message is about one chunk of a pull.
const CHUNKS: Bound = Bound::Source("one message per chunk of the pulls under way");

/// How long the work queue of a stage that may be left out stays without a reader, in milliseconds: a week. After that nothing
/// piles up for a stage that is never started again. What goes with the queue is no loss, since such a stage finds in the
/// database what it has missed.
const UNREAD_FOR_MILLIS: i64 = 7 * 24 * 60 * 60 * 1_000;

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
    /// What keeps it from growing without end.
    pub bound: Bound,
}

impl Queue {
    /// Whether it can be browsed: a quorum queue counts each look as a delivery.
    pub fn is_classic(&self) -> bool {
        self.arguments.contains(&("x-queue-type", Argument::Text("classic".to_owned())))
    }

    /// How far a message has come that is in it: one that waits for its next attempt goes to work, and one that fails to the dead letters.
    pub(crate) fn depth(&self) -> u8 {
        let waits = self.arguments.iter().any(|(name, _)| *name == "x-message-ttl");
        match (self.is_classic(), waits) {
            (false, true) => 0,
            (false, false) => 1,
            (true, _) => 2,
        }
    }
}

/// What keeps a queue from growing without end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The broker: its arguments say how many messages it holds, and for how long.
    Broker,
    /// What fills it, in words. The broker may drop or refuse nothing of it.
    Source(&'static str),
}

/// The queues of these stages, and the queue of rejected records.
pub(super) fn queues(stages: &[StageInfo], delays: &RetryDelays) -> Vec<Queue> {
    let stages = stages.iter().flat_map(|stage| stage_queues(*stage, delays));
    stages.chain([rejected_queue()]).collect()
}

/// The queues of a stage.
pub(super) fn stage_queues(stage: StageInfo, delays: &RetryDelays) -> impl Iterator<Item = Queue> {
    let rungs = delays.iter().map(move |delay| retry_queue(stage, delay));
    [work_queue(stage), replay_queue(stage), dead_queue(stage)].into_iter().chain(rungs)
}

fn work_queue(stage: StageInfo) -> Queue {
    let mut queue = Queue {
        name: stage.queue().to_owned(),
        bindings: vec![stage.source()],
        bound: CHUNKS,
        ..replay_queue(stage)
    };
    queue.arguments.extend(stage.event.map(|_| ("x-expires", Argument::Number(UNREAD_FOR_MILLIS))));
    queue
}

fn replay_queue(stage: StageInfo) -> Queue {
    let mut arguments = at_least_once(DEAD_LETTERS, stage.name);
    arguments.push(("x-delivery-limit", Argument::Number(DELIVERY_LIMIT.into())));
    Queue {
        name: stage.replay(),
        arguments,
        bindings: Vec::new(),
        replaceable: false,
        bound: Bound::Source("the messages of replays that a person started"),
    }
}

/// One queue a delay: messages of different delays in one queue would wait for each other.
fn retry_queue(stage: StageInfo, delay: Duration) -> Queue {
    let mut arguments = at_least_once("", stage.queue());
    let ttl = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    arguments.push(("x-message-ttl", Argument::Number(ttl)));
    Queue { name: stage.retry(delay), arguments, bindings: Vec::new(), replaceable: false, bound: CHUNKS }
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
    let bound = Bound::Source("open dead letters, of which alarms tell until a person acts");
    Queue { name, arguments, bindings: vec![(DEAD_LETTERS, key)], replaceable: false, bound }
}

/// News for whoever wants it, bounded in number and age. The records are in the database, so what leaves the queue at its
/// head, or with a queue of other bounds, is no loss.
fn rejected_queue() -> Queue {
    let queue = classic(REJECTED.to_owned(), REJECTED);
    let bounds = [("x-max-length", REJECTED_MESSAGES), ("x-message-ttl", REJECTED_FOR_MILLIS)];
    let bounds = bounds.map(|(name, bound)| (name, Argument::Number(bound)));
    Queue {
        arguments: queue.arguments.into_iter().chain(bounds).collect(),
        replaceable: true,
        bound: Bound::Broker,
        ..queue
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology;

    #[test]
    fn a_dead_letter_queue_can_be_browsed_and_work_cannot_be_lost() {
        for queue in topology::queues(&RetryDelays::default()) {
            let bounded = queue.arguments.iter().any(|(name, _)| *name == "x-max-length");
            assert_eq!(bounded, queue.bound == Bound::Broker, "{}", queue.name);
            let is = |name, value: &str| queue.arguments.contains(&(name, Argument::Text(value.to_owned())));
            if queue.name == REJECTED {
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
