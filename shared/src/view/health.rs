//! Whether all is well, and if not, why.

use chrono::{DateTime, Utc};

use super::{
    describe_pull::describe_incomplete,
    facts::{Facts, Vanished},
    format::{ago, count},
    obstacles::{long_retries, pauses, person_pause, silence},
    suggest,
};
use crate::{
    schema::{PullId, PullStatus, StopReason},
    store::{PullReport, UnfinishedErasure},
};

/// What a trouble is about: where to look next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// PostgreSQL.
    Database,
    /// RabbitMQ.
    Broker,
    /// Workers, or the messages that they retry.
    Workers,
    /// A pull.
    Pull(PullId),
    /// Dead letters of this stage, in their queue.
    DeadLetters(String),
    /// Dead letters of this stage that vanished from their queue.
    Vanished(String),
    /// The erasure of the channel of this id.
    Erasure(String),
}

/// Something that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In words.
    pub text: String,
    /// Where to look next.
    pub about: About,
}

/// A judgement, and its facts.
#[derive(Debug, Clone)]
pub struct Health {
    /// Whether all is well.
    pub well: bool,
    /// The same in a sentence.
    pub verdict: String,
    /// Each thing that is not well.
    pub troubles: Vec<Trouble>,
    /// What it was judged by.
    pub facts: Facts,
}

impl Health {
    /// Each thing that is not well.
    pub fn troubles_of(facts: &Facts, now: DateTime<Utc>) -> Vec<Trouble> {
        troubles(facts, now)
    }

    /// Judges the facts. What a person has paused is told, and is no trouble.
    pub fn from_facts(facts: Facts, now: DateTime<Utc>) -> Self {
        let troubles = troubles(&facts, now);
        let well = troubles.is_empty();
        let texts: Vec<_> = troubles.iter().map(|trouble| trouble.text.as_str()).collect();
        let pauses = facts.paused.iter().map(person_pause).collect::<Vec<_>>().join("; ");
        let verdict = match (well, pauses.is_empty()) {
            (true, true) => good_news(&facts, now),
            (true, false) => format!("Nothing is wrong; on purpose, {pauses}."),
            (false, true) => format!("Not well: {}.", texts.join("; ")),
            (false, false) => format!("Not well: {}. On purpose, {pauses}.", texts.join("; ")),
        };
        Self { well, verdict, troubles, facts }
    }
}

fn good_news(facts: &Facts, now: DateTime<Utc>) -> String {
    let last = match &facts.last_closed {
        Some(pull) => {
            let when = ago(pull.completed_at.unwrap_or(pull.started_at), now);
            let lacks = describe_incomplete(pull).map(|why| format!(", but {why}")).unwrap_or_default();
            format!("pull {} succeeded {when}{lacks}", pull.pull_id)
        }
        None => "there was no pull yet".to_owned(),
    };
    format!("All is well: every stage has a worker, there are no dead letters, {last}.")
}

fn troubles(facts: &Facts, now: DateTime<Utc>) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let mut add = |about: About, text: String| troubles.push(Trouble { text, about });
    facts.database_trouble.iter().for_each(|text| add(About::Database, text.clone()));
    facts.broker_trouble.iter().for_each(|text| add(About::Broker, text.clone()));
    let workers = missing_workers(facts).into_iter();
    workers
        .chain(pauses(&facts.workers, now))
        .chain(facts.silent.iter().map(|worker| silence(worker, now)))
        .chain(long_retries(&facts.retries, now))
        .for_each(|text| add(About::Workers, text));
    for pull in facts.under_way.iter().filter(|pull| pull.rescues > 0) {
        let stalled = format!("pull {} stalled; re-announced {}", pull.pull_id, count(pull.rescues, "time"));
        add(About::Pull(pull.pull_id), stalled);
    }
    if let Some((pull, text)) =
        facts.last_closed.as_ref().and_then(|pull| Some((pull.pull_id, bad_end(pull)?)))
    {
        add(About::Pull(pull), text);
    }
    for queues in facts.stages.iter().filter(|queues| queues.dead > 0) {
        let text = format!("{} of the {}", count(queues.dead, "dead letter"), queues.stage);
        add(About::DeadLetters(queues.stage.to_owned()), text);
    }
    for Vanished { stage, letters: dead_letters } in &facts.vanished {
        let text = suggest::typed(&format!(
            "{} of the {stage} vanished from their queue in the last day (the broker dropped them or somebody took them): \
             `operator dead-letters list --state vanished` lists them, `operator dead-letters restore ID` brings one back",
            count(*dead_letters, "dead letter")
        ));
        add(About::Vanished(stage.clone()), text);
    }
    for erasure in &facts.erasures {
        let text =
            format!("{}: {}", unfinished_erasure(erasure, now), suggest::typed(&end_of_erasure(erasure)));
        add(About::Erasure(erasure.channel.clone()), text);
    }
    troubles
}

/// An erasure that has not ended, in words.
pub fn unfinished_erasure(erasure: &UnfinishedErasure, now: DateTime<Utc>) -> String {
    let UnfinishedErasure { channel, by, started_at } = erasure;
    format!("the erasure of channel {channel}, which {by} began {}, has not ended", ago(*started_at, now))
}

/// The command that ends it.
pub fn end_of_erasure(erasure: &UnfinishedErasure) -> String {
    format!("`operator erase --channel {}`", erasure.channel)
}

/// The stages without a worker. A paused worker consumes nothing, but it is there; and a stage that a person has paused needs none.
fn missing_workers(facts: &Facts) -> Vec<String> {
    let is_paused = |stage: &str| {
        facts.is_paused_by_person(stage)
            || facts.workers.iter().any(|worker| worker.stage == stage && worker.is_paused())
    };
    let missing = facts.stages.iter().filter(|queues| queues.workers == 0 && !is_paused(queues.stage));
    let missing: Vec<_> = missing.map(|queues| format!("no {} is running", queues.stage)).collect();
    if !missing.is_empty() && missing.len() == facts.stages.len() {
        return vec!["no worker is running".to_owned()];
    }
    missing
}

/// Why the pull did not end well, if so. A page cap is a setting; cursors that lead in a circle are a fault.
fn bad_end(pull: &PullReport) -> Option<String> {
    let id = pull.pull_id;
    if pull.status == PullStatus::Failed.as_str() {
        return Some(format!("pull {id}, the last that ended, failed"));
    }
    let looped = pull.stop_reason.as_deref() == Some(StopReason::CursorLoop.as_str());
    let why = describe_incomplete(pull).filter(|_| looped)?;
    Some(format!("pull {id} succeeded, but {why}"))
}
