//! Everything about one pull, in sections.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::store::{PullReport, StageSpan, Waiting};

use super::{
    Table,
    format::{ago, count, duration, not_whole, number, stop_reason, time},
    summary::equation,
    table::{self, Style},
};
use crate::suggest;

/// What there is to know about a pull.
#[derive(Debug, Serialize)]
pub(crate) struct PullDetails {
    /// Its row, its counts, how far it is.
    pub(crate) pull: PullReport,
    /// Each stage's progress and times.
    pub(crate) stages: Vec<StageSpan>,
    /// Chunks that are not merged.
    pub(crate) waiting: Vec<Waiting>,
    /// What keeps it from going on, if that is known.
    pub(crate) obstacle: Option<String>,
}

/// The sections; those with nothing to say are left out.
pub(crate) fn pull_details(details: &PullDetails, now: DateTime<Utc>) -> String {
    let pull = &details.pull;
    let title = format!("Pull {} · {}", pull.pull_id, pull.status);
    let sections = [
        table::line(&title, Style::of_status(&pull.status)),
        standing(details, now),
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

fn section(title: &str, body: &str) -> String {
    format!("\n{}\n{body}", table::line(title, Style::Plain))
}

fn standing(details: &PullDetails, now: DateTime<Utc>) -> String {
    let pull = &details.pull;
    let asked = match pull.slot {
        Some(slot) => format!("the schedule, for {}", time(slot)),
        None => pull.requested_by.clone(),
    };
    let mut facts = vec![
        ("asked for by", asked),
        ("started", format!("{} ({})", time(pull.started_at), ago(pull.started_at, now))),
    ];
    match pull.completed_at {
        Some(end) => {
            let took = duration(end - pull.started_at);
            facts.push(("ended", format!("{} ({}), after {took}", time(end), ago(end, now))));
        }
        None => facts.push(("under way", format!("for {}", duration(now - pull.started_at)))),
    }
    facts.extend(details.obstacle.iter().map(|obstacle| ("waits", obstacle.clone())));
    if let Some(reason) = &pull.stop_reason {
        facts.push(("fetching", format!("ended because {} ({reason})", stop_reason(reason))));
    }
    if let Some(lacks) = not_whole(pull) {
        facts.push(("whole", format!("no: {lacks}")));
    }
    if pull.rescues > 0 {
        facts.push(("picked up", format!("{} after standing still", count(pull.rescues, "time"))));
    }
    if let Some(error) = &pull.error {
        facts.push(("error", error.clone()));
    }
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
    let mut facts = vec![("records", equation(pull))];
    if !pull.rejected_by_rule.is_empty() {
        let mut rules: Vec<_> = pull.rejected_by_rule.iter().collect();
        rules.sort_by_key(|(_, records)| Reverse(**records));
        let rules = rules.into_iter().map(|(rule, records)| format!("{:>6}  {rule}", number(*records)));
        facts.push((
            "rejected by rule",
            rules.collect::<Vec<_>>().join(
                "
",
            ),
        ));
    }
    if let (Some(added), Some(missing)) = (pull.games_added, pull.games_missing) {
        facts.push(("games", format!("{} new, {} unknown to Twitch", number(added), number(missing))));
    }
    if let (Some(filled), Some(missing)) = (pull.channels_filled, pull.channels_missing) {
        facts.push(("channels", format!("{} filled, {} unknown to Twitch", number(filled), number(missing))));
    }
    facts.push(("pages", number(pull.pages)));
    facts.push(("calls to Helix", number(pull.helix_calls)));
    if pull.nul_replaced > 0 {
        facts.push(("U+0000 replaced", number(pull.nul_replaced)));
    }
    Table::facts(facts).to_string()
}

fn waiting(details: &PullDetails, now: DateTime<Utc>) -> String {
    let mut table = Table::new(&[">  CHUNK", "WAITS FOR", "SINCE", "LAST FAILURE"]);
    for chunk in &details.waiting {
        let failure = chunk.failure.clone().unwrap_or_default();
        table.row([number(chunk.chunk), chunk.stage.clone(), ago(chunk.since, now), failure]);
    }
    let all = i64::from(details.pull.chunks) - details.pull.merged_chunks;
    let shown = i64::try_from(details.waiting.len()).unwrap_or(i64::MAX);
    let rest = if all > shown { format!("  and {} more\n", number(all - shown)) } else { String::new() };
    format!("{table}{rest}")
}

/// What a person would ask next, and how.
fn next(details: &PullDetails) -> String {
    let pull = &details.pull;
    let id = pull.pull_id;
    let mut facts = Vec::new();
    if pull.completed_at.is_none() {
        facts.push(("follow it", suggest::command(&format!("wait {id}"))));
    }
    if !details.waiting.is_empty() || pull.error.is_some() {
        facts.push(("what is in its way", suggest::command("status")));
    }
    facts.push(("its documents", format!("select data from pull_document where pull_id = {id}")));
    if pull.rejected > 0 {
        facts.push((
            "its rejects",
            format!("select rule, detail, raw from rejected_record where pull_id = {id}"),
        ));
    }
    Table::facts(facts).to_string()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::view::sample;

    fn sample() -> PullDetails {
        let (pull, now) = (sample::failed(), sample::now());
        let span = |stage, chunks| StageSpan {
            stage,
            chunks,
            first_at: (chunks > 0).then(|| now - TimeDelta::seconds(9)),
            last_at: (chunks > 0).then(|| now - TimeDelta::seconds(1)),
        };
        let stages = vec![
            span("extractor", 40),
            span("game-enricher", 30),
            span("channel-enricher", 22),
            span("finalizer", 0),
        ];
        let waiting = vec![Waiting {
            chunk: 12,
            stage: "game-enricher".into(),
            since: now - TimeDelta::seconds(9),
            failed_stage: Some("game-enricher".into()),
            failure: Some("Twitch answered 400".into()),
        }];
        PullDetails { pull, stages, waiting, obstacle: None }
    }

    #[test]
    fn the_json_is_what_programs_rely_on() {
        let pretty = serde_json::to_string_pretty(&sample()).unwrap();
        assert_eq!(pretty, include_str!("../golden/show.json").trim_end());
    }

    #[test]
    fn a_failed_pull_is_explained() {
        let text = pull_details(&sample(), sample::now());
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
