//! Page 1: what needs somebody, and how the chain stands.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use shared::{
    store::StageMinute,
    topology::STAGES,
    view::{
        Facts, StageQueues, describe_incomplete, describe_progress, describe_rejects,
        format::{ago, count, duration, number, time},
        pauses, retries,
    },
};

use super::attention::attention;
use super::context::{Context, Found, json_of};
use super::throughput::{MINUTES, floor, rates, throughput};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Plot, Section, Table, command},
    error::Error,
    picture,
};

/// What the page reads beside the sample; nothing while PostgreSQL is unavailable.
struct Lately {
    minutes: Vec<StageMinute>,
    waiting: [Option<DateTime<Utc>>; 4],
    slots: Vec<DateTime<Utc>>,
    /// When pulls are started, in the words of the extractor.
    schedule: Option<String>,
}

pub(super) async fn find(context: &Context<'_>) -> Result<Found, Error> {
    let (sample, now) = (&*context.sample, context.now);
    let first = floor(now) - TimeDelta::minutes(MINUTES - 1);
    let lately = if sample.health.facts.database_trouble.is_none() {
        let store = &context.console.store;
        Lately {
            minutes: store.stage_minutes(first).await?,
            waiting: store.progress().await?.waiting,
            slots: store.latest_slots(2).await?,
            schedule: store.latest_schedule().await?,
        }
    } else {
        Lately { minutes: Vec::new(), waiting: [None; 4], slots: Vec::new(), schedule: None }
    };
    let facts = &sample.known;
    let rates = rates(&lately.minutes, now);
    let mut sections = vec![
        attention(&sample.health.troubles),
        Section::new("chain", "The chain", chain(context, &lately, &rates)),
        Section::new("pulls", "Pulls", pulls(facts, &lately, now)),
    ];
    if sample.health.facts.database_trouble.is_none() {
        let done = vec![Block::Plot(throughput(&lately.minutes, first))];
        sections.push(Section::new("done", "Chunks done per minute", done));
    }
    let health = &sample.health;
    let data = json!({
        "at": sample.at, "well": health.well, "verdict": health.verdict,
        "troubles": health.troubles.iter().map(|trouble| &trouble.text).collect::<Vec<_>>(),
        "database_trouble": health.facts.database_trouble, "broker_trouble": health.facts.broker_trouble,
        "database_read_at": sample.database_at, "broker_asked_at": sample.broker_at,
        "stages": facts.stages.iter().zip(rates).map(|(queues, rate)| json!({
            "stage": queues.stage, "workers": queues.workers, "ready": queues.ready, "replay": queues.replay,
            "retrying": queues.retrying, "dead": queues.dead, "in_hand": in_hand(facts, queues.stage), "per_minute": rate,
        })).collect::<Vec<_>>(),
        "under_way": json_of(&facts.under_way), "last_closed": json_of(&facts.last_closed),
        "workers": json_of(&facts.workers), "retries": json_of(&facts.retries), "alarms": json_of(&facts.alarms),
        "points": points(facts).map(|(left, limit)| json!({ "left": left, "limit": limit })),
        "next_slot": next_slot(&lately, now).map(|(next, _)| next),
        "missed_slots": json_of(&facts.missed_slots), "rejected": facts.rejected, "stage_minutes": json_of(&lately.minutes),
    });
    Ok(Found { document: Document { title: "Flow".into(), sections }, data })
}

fn chain(context: &Context<'_>, lately: &Lately, rates: &[i64]) -> Vec<Block> {
    let (sample, now) = (&*context.sample, context.now);
    let facts = &sample.known;
    let mut blocks = Vec::new();
    for (service, trouble, at) in [
        ("PostgreSQL", &sample.health.facts.database_trouble, sample.database_at),
        ("RabbitMQ", &sample.health.facts.broker_trouble, sample.broker_at),
    ] {
        if trouble.is_some() {
            let known = at.map_or_else(
                || "nothing is known from it yet".to_owned(),
                |at| format!("what it said at {} ({}) is shown, and is stale", time(at), ago(at, now)),
            );
            blocks
                .push(Block::Text(Cell::text(format!("{service} is unavailable: {known}.")).tone(Tone::Bad)));
        }
    }
    if facts.stages.is_empty() {
        return blocks;
    }
    let is_paused = |stage: &str| {
        facts.paused.iter().any(|pause| pause.stage == stage)
            || facts.workers.iter().any(|worker| worker.stage == stage && worker.is_paused())
    };
    // The optional stages come after those of the flow, and are no part of it.
    let stages = &facts.stages[..facts.stages.len().min(STAGES.len())];
    let hands: Vec<i64> = stages.iter().map(|queues| in_hand(facts, queues.stage)).collect();
    let paused: Vec<bool> = stages.iter().map(|queues| is_paused(queues.stage)).collect();
    let by_person = |stage: &str| facts.paused.iter().any(|pause| pause.stage == stage);
    let ordered: Vec<bool> = stages.iter().map(|queues| by_person(queues.stage)).collect();
    let ready: u32 = stages.iter().map(|queues| queues.ready).sum();
    let dead: u32 = stages.iter().map(|queues| queues.dead).sum();
    let summary = format!(
        "{}, {} and {} in four stages.",
        count(ready, "ready message"),
        count(hands.iter().sum::<i64>(), "message") + " in hand",
        count(dead, "dead letter")
    );
    let rows = stages.iter().enumerate().map(|(place, queues)| {
        let oldest = lately.waiting.get(place).copied().flatten();
        stage_row(queues, hands[place], rates[place], paused[place], oldest, now)
    });
    let head = vec![
        "Stage",
        "Workers",
        "Ready",
        "In hand",
        "Done/min",
        "Oldest waits for",
        "Retrying",
        "Replayed",
        "Dead letters",
    ];
    let caption = "Each stage and its queues".to_owned();
    let table = Table { caption, head, rows: rows.collect(), empty: "" };
    let picture = picture::chain(stages, &hands, &paused, rates);
    let title = "The stages in the order of the flow".to_owned();
    blocks.push(Block::Plot(Plot { id: "chain-plot", title, summary, picture, table, folded: false }));
    let orders = |(queues, by_hand): (&StageQueues, &bool)| {
        let paused: &[_] = &[("Resume", "resume"), ("Run one message of", "run-once")];
        let kinds = if *by_hand { paused } else { &[("Pause", "pause")] };
        let order = |(words, kind): (&str, &str)| {
            (format!("{words} the {}", queues.stage), format!("/order/{kind}?stage={}", queues.stage))
        };
        kinds.iter().copied().map(order).collect::<Vec<_>>()
    };
    blocks.extend(context.orders("Stages", stages.iter().zip(&ordered).flat_map(orders)));
    blocks.push(Block::Commands(vec![("The same as text", command("status"))]));
    blocks
}

fn stage_row(
    queues: &StageQueues,
    hand: i64,
    rate: i64,
    paused: bool,
    oldest: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Vec<Cell> {
    let workers = match queues.workers {
        _ if paused => Cell::text("paused").tone(Tone::Bad),
        0 => Cell::text("none").tone(Tone::Bad),
        n => Cell::text(number(n)).tone(Tone::Good),
    };
    let dead = Cell::number(queues.dead).link(format!("/dead-letters?stage={}", queues.stage));
    vec![
        Cell::text(queues.stage),
        workers.right().link("/workers"),
        Cell::number(queues.ready),
        Cell::number(hand),
        Cell::number(rate),
        Cell::text(oldest.map_or_else(|| "–".to_owned(), |at| duration(now - at))).right(),
        Cell::number(queues.retrying),
        Cell::number(queues.replay),
        if queues.dead > 0 { dead.tone(Tone::Bad) } else { dead },
    ]
}

fn pulls(facts: &Facts, lately: &Lately, now: DateTime<Utc>) -> Vec<Block> {
    let mut lines: Vec<(&'static str, Cell)> = Vec::new();
    for pull in &facts.under_way {
        lines.push((
            "in progress",
            Cell::text(describe_progress(pull, now)).link(format!("/pulls/{}", pull.pull_id)),
        ));
    }
    if facts.under_way.is_empty() {
        lines.push(("in progress", Cell::text("no pull")));
    }
    lines.extend(
        pauses(&facts.workers, now).into_iter().map(|pause| ("paused", Cell::text(pause).tone(Tone::Bad))),
    );
    lines.extend(retries(&facts.retries, now).into_iter().map(|retry| ("retrying", Cell::text(retry))));
    if let Some(pull) = &facts.last_closed {
        let end = pull.completed_at.unwrap_or(now);
        let text = format!(
            "Pull {}: {}, {}, {}, after {}",
            pull.pull_id,
            pull.status,
            count(pull.stored, "stream"),
            ago(end, now),
            duration(end - pull.started_at)
        );
        let tone = Tone::of_status(&pull.status);
        lines.push(("last ended", Cell::text(text).tone(tone).link(format!("/pulls/{}", pull.pull_id))));
        lines.extend(pull.error.iter().map(|error| ("error", Cell::text(error.clone()))));
        lines.extend(describe_rejects(pull).map(|rejects| ("rejected", Cell::text(rejects))));
        lines.extend(describe_incomplete(pull).map(|why| ("incomplete", Cell::text(why).tone(Tone::Notice))));
    }
    if let Some(missed) = facts.missed_slots.first() {
        let slots = count(facts.missed_slots.len(), "slot");
        let text = format!("{slots} within a day; the last at {}: {}", time(missed.slot), missed.reason);
        lines.push(("missed", Cell::text(text).tone(Tone::Notice).link("/data")));
    }
    if let Some(alarm) = facts.alarms.first() {
        let alarms = count(facts.alarms.len(), "alarm");
        let text = format!(
            "{alarms} within a day; the last {}, {}: {}",
            ago(alarm.at, now),
            alarm.queue,
            alarm.detail
        );
        lines.push(("alarms", Cell::text(text).tone(Tone::Notice).link("/dead-letters")));
    }
    if let Some((next, how)) = next_slot(lately, now) {
        lines.push(("next slot", Cell { text: format!("{}, {how}", time(next)), ..Cell::moment(next) }));
    }
    if let Some((left, limit)) = points(facts) {
        let text = format!(
            "{} of {} are left, by the worker that believes in the fewest",
            number(left),
            count(limit, "point")
        );
        lines.push(("Twitch's points", Cell::text(text).bar(left.into(), limit.into()).link("/workers")));
    }
    let commands = vec![("Ask for a pull", command("pull --wait")), ("List pulls", command("pulls"))];
    vec![Block::Facts(lines), Block::Commands(commands)]
}

/// When the next pull is due, and how that is known: from the schedule that the last pull was started by, or else from slots.
fn next_slot(lately: &Lately, now: DateTime<Utc>) -> Option<(DateTime<Utc>, String)> {
    let schedule = lately.schedule.as_deref().unwrap_or_default();
    let every = schedule.strip_prefix("every ").and_then(|every| humantime::parse_duration(every).ok());
    let every =
        every.and_then(|every| TimeDelta::from_std(every).ok()).filter(|every| every.num_seconds() > 0);
    if let Some(every) = every {
        // At whole multiples since 1970, as the extractor has it.
        let seconds = every.num_seconds();
        let next = (now.timestamp().div_euclid(seconds) + 1) * seconds;
        return Some((DateTime::from_timestamp(next, 0)?, format!("pulls are started {schedule}")));
    }
    let [last, before] = lately.slots.as_slice() else { return None };
    let next = *last + (*last - *before);
    let how = "about: as far after the last slot as that was after the one before".to_owned();
    (next > now).then_some((next, how))
}

/// Points of Twitch's budget, left and in full, as the worker that has the least knows them.
fn points(facts: &Facts) -> Option<(i32, i32)> {
    facts.workers.iter().filter_map(|worker| Some((worker.points_left?, worker.points_limit?))).min()
}

/// Messages in the hands of a stage's workers.
fn in_hand(facts: &Facts, stage: &str) -> i64 {
    facts.workers.iter().filter(|worker| worker.stage == stage).map(|worker| i64::from(worker.in_hand)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_slot_is_the_schedules_or_as_far_off_as_the_last_was() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let now = at("2026-07-12T10:42:00Z");
        let slots = vec![at("2026-07-12T10:40:00Z"), at("2026-07-12T10:25:00Z")];
        let lately = |schedule: Option<&str>| Lately {
            minutes: Vec::new(),
            waiting: [None; 4],
            slots: slots.clone(),
            schedule: schedule.map(str::to_owned),
        };
        let next = |schedule| next_slot(&lately(schedule), now).map(|(next, _)| next);
        assert_eq!(next(Some("every 10m")), Some(at("2026-07-12T10:50:00Z")));
        assert_eq!(next(Some("at 5 * * * *")), Some(at("2026-07-12T10:55:00Z")));
        assert_eq!(next(None), Some(at("2026-07-12T10:55:00Z")));
    }
}
