//! How everything stands, in a screen.

use chrono::{DateTime, Utc};
use shared::{store::PullReport, topology::REJECTED};

use super::{
    Table,
    format::{ago, count, duration, heading, malformed, not_whole, number, short_time},
    health::Health,
    obstacles::{pauses, retries},
    queues::StageQueues,
    table::{self, Style},
};
use crate::suggest;

/// The verdict first, then what it was judged by. A service that could not be asked has no section: the verdict says why.
pub(crate) fn status(health: &Health, now: DateTime<Utc>) -> String {
    let tone = if health.well { Style::Good } else { Style::Bad };
    let facts = &health.facts;
    let verdict = table::line(&health.verdict, tone);
    let mut sections = vec![verdict];
    if facts.database_trouble.is_none() {
        sections.push(Table::facts(pulls(health, now)).to_string().trim_end().to_owned());
    }
    if facts.broker_trouble.is_none() {
        sections.push(queues(&facts.stages).to_string().trim_end().to_owned());
        sections.push(format!("{REJECTED} holds {}", count(facts.rejected, "message")));
    }
    sections.join("\n\n")
}

fn pulls(health: &Health, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let facts = &health.facts;
    let mut lines = vec![("schema", "up to date".to_owned())];
    lines.extend(facts.under_way.iter().map(|pull| ("under way", heading(pull, now))));
    if facts.under_way.is_empty() {
        lines.push(("under way", "no pull".to_owned()));
    }
    lines.extend(pauses(&facts.workers, now).into_iter().map(|pause| ("paused", pause)));
    lines.extend(retries(&facts.retries, now).into_iter().map(|retry| ("retrying", retry)));
    if let Some(pull) = &facts.last_closed {
        lines.push(("last ended", closed(pull, now)));
        lines.extend(malformed(pull).map(|records| {
            ("", suggest::typed(&format!("{records}: `operator rejected list --pull {}`", pull.pull_id)))
        }));
        lines.extend(not_whole(pull).map(|lacks| ("", lacks)));
    }
    if let Some(last) = facts.missed_slots.first() {
        let missed = count(i64::try_from(facts.missed_slots.len()).unwrap_or(i64::MAX), "slot");
        let slot = short_time(last.slot, now);
        lines.push(("missed", format!("{missed} in a day; the last at {slot}, because of {}", last.reason)));
    }
    if let Some(last) = facts.alarms.first() {
        let alarms = count(i64::try_from(facts.alarms.len()).unwrap_or(i64::MAX), "alarm");
        let at = short_time(last.at, now);
        lines.push((
            "alarms",
            format!("{alarms} in a day; the last at {at}, {}: {}", last.queue, last.detail),
        ));
    }
    lines
}

fn closed(pull: &PullReport, now: DateTime<Utc>) -> String {
    let end = pull.completed_at.unwrap_or(now);
    let (took, when) = (duration(end - pull.started_at), ago(end, now));
    let what = format!("Pull {}: {}, {when}, after {took}", pull.pull_id, pull.status);
    match &pull.error {
        Some(error) => format!("{what}: {error}"),
        None => format!("{what}: {}", count(pull.stored, "stream")),
    }
}

/// The stages' queues as a table.
fn queues(stages: &[StageQueues]) -> Table {
    let mut table = Table::new(&["STAGE", ">WORKERS", ">WAITING", ">RETRYING", ">REPLAYED", ">DEAD LETTERS"]);
    for queues in stages {
        let absent = if queues.workers == 0 { Style::Bad } else { Style::Plain };
        let dead = if queues.dead > 0 { Style::Bad } else { Style::Plain };
        table.toned(
            &[Style::Plain, absent, Style::Plain, Style::Plain, Style::Plain, dead],
            [
                queues.stage.to_owned(),
                number(queues.workers),
                number(queues.ready),
                number(queues.retrying),
                number(queues.replay),
                number(queues.dead),
            ],
        );
    }
    table
}
