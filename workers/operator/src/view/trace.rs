//! Where a row comes from, or why there is none.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use shared::{
    store::{
        CatalogueTrace, PullAttempt, PullFacts, PullTrace, Sighting, StageWork, StoredStream, StreamTrace,
        TraceStep, Whereabouts,
    },
    view::describe_whereabouts,
};

use super::{
    format::{ago, count, duration, first_line, number, time},
    table::{Style, Table, line, section},
};

/// Longest value of a field that is shown.
const LONGEST_VALUE: usize = 60;

/// A stream in a pull.
pub(crate) fn stream_trace(trace: &StreamTrace, now: DateTime<Utc>) -> String {
    let style = match trace.whereabouts {
        Whereabouts::Stored(_) => Style::Good,
        Whereabouts::Rejected(_) => Style::Bad,
        Whereabouts::Absent(_) => Style::Busy,
    };
    let answer = describe_whereabouts(trace);
    let title = line(&format!("Stream {} in pull {}", trace.stream_id, trace.pull.pull_id), style);
    let mut sections = vec![title, format!("\n{answer}\n"), section("Pull", &pull_facts(&trace.pull, now))];
    if let Whereabouts::Stored(stored) = &trace.whereabouts {
        sections.push(section("What Twitch said, and what is stored", &fields(stored)));
    }
    if !trace.duplicates.is_empty() {
        let again = trace.duplicates.iter().map(|(chunk, placed)| {
            let viewers = number(placed.viewer_count);
            format!(
                "  page {chunk}, place {}: {viewers} viewers that time; dropped as a duplicate\n",
                placed.place
            )
        });
        sections.push(section("Listed again", &again.collect::<String>()));
    }
    sections.push(section("What was done", &steps(&trace.steps, &trace.pull)));
    sections.concat()
}

/// A pull, or a chunk of it.
pub(crate) fn pull_trace(trace: &PullTrace, chunk: Option<i32>, now: DateTime<Utc>) -> String {
    let pull = &trace.pull;
    let title = format!("Pull {} · {}", pull.pull_id, pull.status);
    let done = chunk
        .map_or("What was done to the pull".to_owned(), |chunk| format!("What was done to chunk {chunk}"));
    let sections = [
        line(&title, Style::from_status(&pull.status)),
        format!("\n{}", pull_facts(pull, now)),
        section("Attempts", &attempts(&trace.attempts)),
        section("Stages", &stages(&trace.stages)),
        section(&done, &steps(&trace.steps, pull)),
    ];
    sections.concat()
}

/// A channel or a game, and where it was seen.
pub(crate) fn catalogue_trace(
    what: &str,
    trace: &CatalogueTrace,
    sightings: &[Sighting],
    now: DateTime<Utc>,
) -> String {
    let (style, known) = match &trace.known {
        Some((name, at, pull)) => {
            (Style::Good, format!("{name}; fetched {}, first through pull {pull}", ago(*at, now)))
        }
        None => (Style::Bad, "Twitch never returned it".to_owned()),
    };
    let mut facts = vec![("known as", known)];
    if let Some(missing) = &trace.missing {
        facts.push((
            "missing",
            format!(
                "{} when it was asked for {} in a row, first {}, last {}; last seen in pull {}, chunk {}",
                missing.reason,
                count(missing.times, "time"),
                ago(missing.first_missed_at, now),
                ago(missing.last_asked_at, now),
                missing.pull_id,
                missing.chunk
            ),
        ));
    }
    let seen = if sightings.is_empty() { "  in no pull\n".to_owned() } else { seen(sightings).to_string() };
    let title = line(&format!("{what} {}", trace.id), style);
    format!("{title}\n{}{}", Table::facts(facts), section("Seen, newest first", &seen))
}

fn seen(sightings: &[Sighting]) -> Table {
    let mut table = Table::new(&["  PULL", "PULLED", "STREAM", ">PAGE", ">VIEWERS", "CHANNEL", "~GAME"]);
    for sighting in sightings {
        table.row([
            format!("  {}", sighting.pull_id),
            time(sighting.pulled_at),
            sighting.stream_id.clone(),
            sighting.chunk.to_string(),
            number(sighting.viewer_count),
            sighting.channel_login.clone(),
            sighting.game_name.clone(),
        ]);
    }
    table
}

fn pull_facts(pull: &PullFacts, now: DateTime<Utc>) -> String {
    let requested = match pull.slot {
        Some(slot) => format!("the schedule, for {}", time(slot)),
        None => pull.requested_by.clone(),
    };
    let mut facts = vec![
        ("requested by", requested),
        ("started", format!("{} ({})", time(pull.started_at), ago(pull.started_at, now))),
        ("status", pull.status.clone()),
    ];
    if let Some(settings) = &pull.settings {
        let cap = if settings.max_pages == 0 { "none".to_owned() } else { number(settings.max_pages) };
        facts.push((
            "settings then",
            format!(
                "MIN_VIEWERS {}, page cap {cap}, pulls {}; extractor {}",
                settings.min_viewers, settings.schedule, settings.build
            ),
        ));
    }
    facts.extend(pull.error.clone().map(|error| ("error", error)));
    Table::facts(facts).to_string()
}

fn attempts(attempts: &[PullAttempt]) -> String {
    let mut table = Table::new(&["  #", "BEGAN", ">TOOK", "OUTCOME", "~ASKED FOR BY, FROM; BUILD; ERROR"]);
    for (number, attempt) in (1..).zip(attempts) {
        let took = attempt.ended_at.map_or_else(|| "-".to_owned(), |end| duration(end - attempt.began_at));
        let from = if attempt.from_stage.is_empty() {
            String::new()
        } else {
            format!(", from {}", attempt.from_stage)
        };
        let build = attempt.build.as_ref().map_or_else(String::new, |build| format!("; {build}"));
        let error = attempt.error.as_ref().map_or_else(String::new, |error| format!("; {error}"));
        table.styled_row(
            &[Style::Plain, Style::Plain, Style::Plain, Style::from_status(&attempt.outcome)],
            [
                format!("  {number}"),
                time(attempt.began_at),
                took,
                attempt.outcome.clone(),
                format!("{}{from}{build}{error}", attempt.by),
            ],
        );
    }
    table.to_string()
}

fn stages(stages: &[StageWork]) -> String {
    if stages.is_empty() {
        return "  Nothing was recorded: this pull is of an older build, or its records were deleted.\n"
            .to_owned();
    }
    let mut table = Table::new(&["  STAGE", ">CHUNKS", ">FAILED", ">CALLS", ">BUSY FOR", "BUILD"]);
    for work in stages {
        table.row([
            format!("  {}", work.stage),
            number(work.chunks),
            number(work.failed),
            number(work.calls),
            duration(work.last_at - work.first_at),
            work.build.clone(),
        ]);
    }
    table.to_string()
}

fn steps(steps: &[TraceStep], pull: &PullFacts) -> String {
    let mut table = Table::new(&["  AFTER", "STAGE", "ACTION", "~DETAIL"]);
    // A build that did everything need not stand on every line.
    let builds: BTreeSet<&str> = steps.iter().filter_map(|step| step.build.as_deref()).collect();
    for step in steps {
        let style = if step.action == "DROP" { Style::Busy } else { Style::Plain };
        let attempt = (step.attempt > 1).then(|| format!("attempt {}", step.attempt));
        let calls = (step.calls > 0).then(|| count(step.calls, "call"));
        let build = step.build.clone().filter(|_| builds.len() > 1);
        let told = [attempt, calls, Some(step.detail.clone()), build];
        let told: Vec<String> = told.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        table.styled_row(
            &[Style::Plain, Style::Plain, style],
            [
                format!("  +{}", duration(step.at - pull.started_at)),
                step.stage.clone(),
                step.action.clone(),
                told.join("; "),
            ],
        );
    }
    let only = builds.first().filter(|_| builds.len() == 1);
    let only = only.map(|build| format!("  all by build {build}\n")).unwrap_or_default();
    format!("{table}{only}")
}

/// The record as it was fetched; where it is stored otherwise, both.
fn fields(stored: &StoredStream) -> String {
    let Some(fetched) = stored.fetched.as_ref().and_then(Value::as_object) else {
        return "  the page was deleted: there is nothing to compare with\n".to_owned();
    };
    let mut table = Table::new(&["  FIELD", "~FETCHED"]);
    for (field, value) in fetched {
        table.row([format!("  {field}"), shown(value)]);
    }
    if stored.stored.is_none() {
        return table.to_string();
    }
    if stored.differences.is_empty() {
        return format!("{table}  stored exactly so\n");
    }
    let mut differences = Table::new(&["  STORED OTHERWISE", "~FETCHED", "~STORED"]);
    for difference in &stored.differences {
        let cells =
            [format!("  {}", difference.field), shown(&difference.fetched), shown(&difference.stored)];
        differences.styled_row(&[Style::Bad], cells);
    }
    format!("{table}\n{differences}")
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    first_line(&text, LONGEST_VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_stream_leads_back_to_its_page() {
        let text = stream_trace(&sample::stream_trace(), sample::now());
        for words in [
            "Stored from page 12, place 34 (asked for with cursor eyJ).",
            "MIN_VIEWERS 10, page cap none, pulls every 10m; extractor 0.1.0",
            "viewer_count",
            "page 13, place 1: 118 viewers that time; dropped as a duplicate",
            "RECEIVE",
        ] {
            assert!(text.contains(words), "{words} is not in\n{text}");
        }
    }
}
