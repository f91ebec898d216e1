//! Overall health, on one screen.

use chrono::{DateTime, Utc};
use shared::{
    store::PullReport,
    topology::REJECTED,
    view::{Health, describe_incomplete, describe_progress, describe_rejects, pauses, retries},
};

use super::{
    format::{ago, count, duration, short_time},
    queue_table::queue_table,
    table::{Style, Table, line},
};
use crate::suggest;

/// The verdict first, then what it was judged by. An unavailable service has no section: the verdict says why.
pub(crate) fn status(health: &Health, now: DateTime<Utc>) -> String {
    let facts = &health.facts;
    let style = match (health.well, facts.paused.is_empty()) {
        (true, true) => Style::Good,
        (true, false) => Style::Busy,
        (false, _) => Style::Bad,
    };
    let verdict = line(&health.verdict, style);
    let mut sections = vec![verdict];
    if facts.database_trouble.is_none() {
        sections.push(Table::facts(pulls(health, now)).to_string().trim_end().to_owned());
    }
    if facts.broker_trouble.is_none() {
        sections.push(queue_table(&facts.stages, &facts.paused).to_string().trim_end().to_owned());
        sections.push(format!("{REJECTED}: {}", count(facts.rejected, "message")));
    }
    sections.join("\n\n")
}

fn pulls(health: &Health, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let facts = &health.facts;
    let mut lines = vec![("schema", "up to date".to_owned())];
    lines.extend(facts.under_way.iter().map(|pull| ("in progress", describe_progress(pull, now))));
    if facts.under_way.is_empty() {
        lines.push(("in progress", "no pull".to_owned()));
    }
    lines.extend(pauses(&facts.workers, now).into_iter().map(|pause| ("paused", pause)));
    lines.extend(retries(&facts.retries, now).into_iter().map(|retry| ("retrying", retry)));
    if let Some(pull) = &facts.last_closed {
        lines.push(("last ended", closed(pull, now)));
        lines.extend(describe_rejects(pull).map(|records| {
            ("", suggest::typed(&format!("{records}: `operator rejected list --pull {}`", pull.pull_id)))
        }));
        lines.extend(describe_incomplete(pull).map(|why| ("", why)));
    }
    if let Some(last) = facts.missed_slots.first() {
        let missed = count(facts.missed_slots.len(), "slot");
        let slot = short_time(last.slot, now);
        lines.push(("missed", format!("{missed} within a day; the last at {slot}: {}", last.reason)));
    }
    if let Some(last) = facts.alarms.first() {
        let alarms = count(facts.alarms.len(), "alarm");
        let at = short_time(last.at, now);
        lines.push((
            "alarms",
            format!("{alarms} within a day; the last at {at}, {}: {}", last.queue, last.detail),
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
