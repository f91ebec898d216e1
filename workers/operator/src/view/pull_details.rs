//! Everything about one pull, in sections.

use chrono::{DateTime, Utc};
use shared::{
    store::{PullReport, StageSpan, Waiting},
    view::{
        by_rule, describe_channels, describe_games, describe_incomplete, describe_records, describe_stop,
    },
};

use super::{
    format::{ago, count, duration, number, time},
    table::{Style, Table, line, section},
};
use crate::suggest;

/// What there is to know about a pull.
#[derive(Debug)]
pub(crate) struct PullDetails {
    /// Its row, counts and progress.
    pub(crate) pull: PullReport,
    /// Each stage's progress and times.
    pub(crate) stages: Vec<StageSpan>,
    /// Chunks that are not merged.
    pub(crate) waiting: Vec<Waiting>,
    /// What stops it, if that is known.
    pub(crate) obstacle: Option<String>,
}

/// The sections; empty ones are left out.
pub(crate) fn pull_details(details: &PullDetails, now: DateTime<Utc>) -> String {
    let pull = &details.pull;
    let title = format!("Pull {} · {}", pull.pull_id, pull.status);
    let sections = [
        line(&title, Style::from_status(&pull.status)),
        progress(details, now),
        section("Stages", &stages(details)),
        section("Counts", &counts(pull)),
        if details.waiting.is_empty() {
            String::new()
        } else {
            section("Chunks not done", &waiting(details, now))
        },
        section("Where to look next", &next(details)),
    ];
    sections.concat()
}

fn progress(details: &PullDetails, now: DateTime<Utc>) -> String {
    let pull = &details.pull;
    let requested = match pull.slot {
        Some(slot) => format!("the schedule, for {}", time(slot)),
        None => pull.requested_by.clone(),
    };
    let mut facts = vec![
        ("requested by", requested),
        ("started", format!("{} ({})", time(pull.started_at), ago(pull.started_at, now))),
    ];
    match pull.completed_at {
        Some(end) => {
            let took = duration(end - pull.started_at);
            facts.push(("ended", format!("{} ({}), after {took}", time(end), ago(end, now))));
        }
        None => facts.push(("in progress", format!("for {}", duration(now - pull.started_at)))),
    }
    facts.extend(details.obstacle.iter().map(|obstacle| ("waiting", obstacle.clone())));
    if let Some(reason) = &pull.stop_reason {
        facts.push(("stopped", format!("{} ({reason})", describe_stop(reason))));
    }
    facts.extend(describe_incomplete(pull).map(|why| ("incomplete", why)));
    if pull.rescues > 0 {
        facts.push(("stalled", format!("re-announced {}", count(pull.rescues, "time"))));
    }
    facts.extend(pull.error.clone().map(|error| ("error", error)));
    format!("\n{}", Table::facts(facts))
}

fn stages(details: &PullDetails) -> String {
    let pull = &details.pull;
    let mut table = Table::new(&["  STAGE", ">CHUNKS", ">FIRST DONE", ">LAST DONE", ">BUSY FOR"]);
    for span in &details.stages {
        let after = |at: Option<DateTime<Utc>>| {
            at.map_or_else(|| "-".to_owned(), |at| format!("+{}", duration(at - pull.started_at)))
        };
        let busy =
            span.first_at.zip(span.last_at).map_or_else(|| "-".to_owned(), |(from, to)| duration(to - from));
        let of = if pull.extracted_at.is_some() { number(pull.chunks) } else { "?".to_owned() };
        table.row([
            format!("  {}", span.stage),
            format!("{} of {of}", number(span.chunks)),
            after(span.first_at),
            after(span.last_at),
            busy,
        ]);
    }
    table.to_string()
}

fn counts(pull: &PullReport) -> String {
    let mut facts = vec![("records", describe_records(pull))];
    if !pull.rejected_by_rule.is_empty() {
        let rules = by_rule(pull).map(|(rule, records)| format!("{:>6}  {rule}", number(records)));
        facts.push(("rejected by rule", rules.collect::<Vec<_>>().join("\n")));
    }
    facts.extend(describe_games(pull).map(|games| ("games", games)));
    facts.extend(describe_channels(pull).map(|channels| ("channels", channels)));
    facts.push(("pages", number(pull.pages)));
    facts.push(("calls to Helix", number(pull.helix_calls)));
    if pull.nul_replaced > 0 {
        facts.push(("U+0000 replaced", number(pull.nul_replaced)));
    }
    Table::facts(facts).to_string()
}

fn waiting(details: &PullDetails, now: DateTime<Utc>) -> String {
    let mut table = Table::new(&[">  CHUNK", "WAITING FOR", "SINCE", "~LAST FAILURE"]);
    for chunk in &details.waiting {
        let failure = chunk.failure.clone().unwrap_or_default();
        table.row([number(chunk.chunk), chunk.stage.clone(), ago(chunk.since, now), failure]);
    }
    let all = i64::from(details.pull.chunks) - details.pull.merged_chunks;
    let shown = i64::try_from(details.waiting.len()).unwrap_or(i64::MAX);
    let rest = if all > shown { format!("  and {} more\n", number(all - shown)) } else { String::new() };
    format!("{table}{rest}")
}

/// What to look at next, and how.
fn next(details: &PullDetails) -> String {
    let pull = &details.pull;
    let id = pull.pull_id;
    let mut facts = Vec::new();
    if pull.completed_at.is_none() {
        facts.push(("follow it", suggest::command(&format!("wait {id}"))));
    }
    if !details.waiting.is_empty() || pull.error.is_some() {
        facts.push(("what stops it", suggest::command("status")));
    }
    facts.push(("documents", format!("select data from pull_document where pull_id = {id}")));
    if pull.rejected > 0 {
        facts.push((
            "rejected records",
            format!("select rule, detail, raw from rejected_record where pull_id = {id}"),
        ));
    }
    Table::facts(facts).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_failed_pull_is_explained() {
        let text = pull_details(&sample::pull_details(), sample::now());
        for words in [
            "Pull 6 · failed",
            "fetched 4,000 = stored 3,800 + rejected 150 + duplicates 50",
            "chunk 12 at game-enricher: Twitch answered 400",
            "149  min_viewers",
            "and 19 more",
            "operator status",
        ] {
            assert!(text.contains(words), "{words:?} is missing in\n{text}");
        }
    }
}
