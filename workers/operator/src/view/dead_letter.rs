//! Everything about one dead letter, in sections.

use chrono::{DateTime, Utc};
use indicatif::HumanBytes;
use serde_json::Value;
use shared::{
    store::DeadLetterDetails as DeadLetter,
    view::{dead_letter_state, readable},
};

use super::{
    format::{ago, count, time},
    table::{Style, Table, line, section},
};
use crate::suggest;

/// What there is to know about a dead letter.
#[derive(Debug)]
pub(crate) struct DeadLetterDetails {
    /// It.
    pub(crate) dead_letter: DeadLetter,
    /// What it was before its replays, the latest first.
    pub(crate) former: Vec<DeadLetter>,
    /// The status of its pull; none if it has none, or the pull was deleted.
    pub(crate) pull_status: Option<String>,
}

/// Why it failed, where it comes from, headers, body, history, and what to do next.
pub(crate) fn dead_letter(details: &DeadLetterDetails, now: DateTime<Utc>) -> String {
    let dead_letter = &details.dead_letter;
    let row = &dead_letter.row;
    let title = format!("Dead letter {} · {} · {}", row.id, dead_letter_state(&row.state), row.queue);
    let (format, body) = readable(&dead_letter.body);
    let size = HumanBytes(dead_letter.body.len().try_into().unwrap_or(u64::MAX));
    let indented = body.lines().flat_map(|line| ["  ", line, "\n"]).collect::<String>();
    [
        format!("{}\n", line(&title, Style::from_state(&row.state))),
        section("Why", &Table::facts(why(dead_letter, now)).to_string()),
        section("Where it comes from", &Table::facts(origin(details)).to_string()),
        section("Headers and properties", &Table::facts(headers(&dead_letter.properties)).to_string()),
        section(&format!("Body: {format}, {size}"), &indented),
        section("History", &history(dead_letter)),
        section("Where to look next", &Table::facts(next(dead_letter)).to_string()),
    ]
    .concat()
}

fn why(dead_letter: &DeadLetter, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let row = &dead_letter.row;
    let when = |at| format!("{} ({})", time(at), ago(at, now));
    let mut facts = vec![
        ("code", format!("{} ({})", row.code, row.class)),
        ("message", row.message.clone()),
        ("caused by", dead_letter.causes.clone()),
        ("group", row.fingerprint.clone()),
        (
            "failed",
            format!(
                "{}, first {}, last {}",
                count(row.attempts, "time"),
                when(row.first_failed_at),
                when(row.last_failed_at)
            ),
        ),
        ("by", format!("{} {} on {}", row.stage, row.build, dead_letter.host)),
    ];
    facts.retain(|(_, fact)| !fact.is_empty());
    if row.state == "held" {
        let build = dead_letter.held_until.as_ref();
        facts.push((
            "held until",
            build.map_or_else(|| "it is released".to_owned(), |build| format!("build {build} runs")),
        ));
    }
    facts
}

fn origin(details: &DeadLetterDetails) -> Vec<(&'static str, String)> {
    let dead_letter = &details.dead_letter;
    let mut facts = vec![("message", format!("{} {}", dead_letter.kind, dead_letter.message_id))];
    if let Some(pull) = dead_letter.row.pull_id {
        facts.push(("pull", format!("{pull} ({})", details.pull_status.as_deref().unwrap_or("deleted"))));
    }
    facts.extend(dead_letter.row.chunk.map(|chunk| ("chunk", chunk.to_string())));
    facts.push(("replays", dead_letter.row.generation.to_string()));
    for former in &details.former {
        let same = former.row.fingerprint == dead_letter.row.fingerprint;
        let cause = if same { "same cause" } else { "other cause" };
        facts.push((
            "was dead letter",
            format!(
                "{} · {} · {} ({cause})",
                former.row.id,
                dead_letter_state(&former.row.state),
                former.row.code
            ),
        ));
    }
    facts
}

/// Every property and header, headers by their own names.
fn headers(properties: &Value) -> Vec<(&String, String)> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Object(tagged) => tagged.get("value").unwrap_or(value).to_string(),
        other => other.to_string(),
    };
    let own = properties
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| *name != "headers" && !value.is_null());
    let headers = properties["headers"].as_object().into_iter().flatten();
    own.chain(headers).map(|(name, value)| (name, plain(value))).collect()
}

fn history(dead_letter: &DeadLetter) -> String {
    let mut table = Table::new(&["  WHEN", "EVENT", "BY", "~DETAIL"]);
    for event in &dead_letter.events {
        table.row([
            format!("  {}", time(event.at)),
            event.event.clone(),
            event.by.clone(),
            event.detail.clone(),
        ]);
    }
    table.to_string()
}

fn next(dead_letter: &DeadLetter) -> Vec<(&'static str, String)> {
    let row = &dead_letter.row;
    let command = |words: String| suggest::command(&words);
    let mut facts = Vec::new();
    match row.state.as_str() {
        "dead" | "held" => facts.push(("send it back", command(format!("dead-letters replay {}", row.id)))),
        "discarded" | "vanished" => {
            facts.push(("bring it back", command(format!("dead-letters restore {}", row.id))));
        }
        _ => {}
    }
    facts.push(("same cause", command(format!("dead-letters list --group {}", row.fingerprint))));
    facts.extend(row.pull_id.map(|pull| ("its pull", command(format!("show {pull}")))));
    facts
}
