//! `operator dead-letters show`.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use shared::{
    schema::PullId,
    store::{DeadLetterDetails, Store},
};

use super::{body, format::about};
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    suggest,
    view::{
        Style, Table,
        format::{ago, count, time},
        line,
    },
};

/// The most generations that are followed back.
const MOST_FORMER: usize = 20;

/// What a program reads.
const JSON: &str = r#"JSON: the dead letter as `list` has it, and {"letter", "causes", "host", "message_id", "kind", "properties",
"held_until", "replay_of", "events": [{"at", "by", "event", "detail"}, …], "body" (base64),
"former": [{"id", "state", "code", …}, …], "pull_status"}"#;

/// Show a dead letter whole: why it failed, headers, body, what happened to it, where it comes from
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Show {
    /// The dead letter's number
    #[arg(value_name = "ID")]
    id: i64,
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    letter: DeadLetterDetails,
    body: String,
    /// What it was before its replays, the latest first.
    former: Vec<DeadLetterDetails>,
    pull_status: Option<String>,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let letter = find(&store, self.id).await?;
        let mut former = Vec::new();
        let mut before = letter.replay_of;
        while let Some(id) = before.filter(|_| former.len() < MOST_FORMER) {
            let Some(letter) = store.dead_letter(id).await? else { break };
            before = letter.replay_of;
            former.push(letter);
        }
        let pull_status = match letter.row.pull_id {
            Some(pull) => store.pull_report(PullId(pull)).await.ok().map(|pull| pull.status),
            None => None,
        };
        let body = STANDARD.encode(&letter.body);
        let now = context.clock.now();
        let document = Document { letter, body, former, pull_status };
        context.output.result(&document, |document| text(document, now));
        Ok(Exit::Success)
    }
}

/// The dead letter of that number.
pub(super) async fn find(store: &Store, id: i64) -> Result<DeadLetterDetails, Error> {
    store.dead_letter(id).await?.ok_or_else(|| {
        Error::Nothing(format!(
            "there is no dead letter {id}: `operator dead-letters list` shows those there are"
        ))
    })
}

fn text(document: &Document, now: DateTime<Utc>) -> String {
    let letter = &document.letter;
    let tone = if letter.row.state == "dead" { Style::Bad } else { Style::Busy };
    let (what, body) = body::shown(&letter.body);
    let size = i64::try_from(letter.body.len()).unwrap_or(i64::MAX);
    let indented = body.lines().flat_map(|line| ["  ", line, "\n"]).collect::<String>();
    [
        line(&format!("Dead letter {} · {} · {}", letter.row.id, letter.row.state, letter.row.queue), tone),
        section("Why", &Table::facts(why(letter, now)).to_string()),
        section("Where it comes from", &Table::facts(origin(document)).to_string()),
        section("Headers and properties", &Table::facts_of(headers(&letter.properties)).to_string()),
        section(&format!("Body: {what}, {}", count(size, "byte")), &indented),
        section("History", &history(letter)),
        section("Where to look next", &Table::facts(next(letter)).to_string()),
    ]
    .concat()
}

fn section(title: &str, body: &str) -> String {
    format!("\n\n{}\n{}", line(title, Style::Plain), body.trim_end())
}

fn why(letter: &DeadLetterDetails, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let row = &letter.row;
    let mut facts = vec![
        ("code", format!("{} ({})", row.code, row.class)),
        ("message", row.message.clone()),
        ("caused by", letter.causes.clone()),
        ("group", row.fingerprint.clone()),
        (
            "failed",
            format!(
                "{}, first {} ({}), last {} ({})",
                count(row.attempts, "time"),
                time(row.first_failed_at),
                ago(row.first_failed_at, now),
                time(row.last_failed_at),
                ago(row.last_failed_at, now)
            ),
        ),
        ("by", format!("{} {} on {}", row.stage, row.build, letter.host)),
    ];
    facts.retain(|(_, fact)| !fact.is_empty());
    if row.state == "held" {
        let until = letter.held_until.as_ref();
        let until =
            until.map_or_else(|| "somebody releases it".to_owned(), |build| format!("build {build} is here"));
        facts.push(("held until", until));
    }
    facts
}

fn origin(document: &Document) -> Vec<(&'static str, String)> {
    let letter = &document.letter;
    let status = document.pull_status.as_deref().unwrap_or("not there any more");
    let mut facts = vec![("message", format!("{} {}", letter.kind, letter.message_id))];
    if letter.row.pull_id.is_some() {
        facts.push(("pull/chunk", format!("{}, and the pull is {status}", about(&letter.row))));
    }
    facts.push(("replays", letter.row.generation.to_string()));
    for former in &document.former {
        let same =
            if former.row.fingerprint == letter.row.fingerprint { "same cause" } else { "another cause" };
        facts.push((
            "was dead letter",
            format!("{} · {} · {} ({same})", former.row.id, former.row.state, former.row.code),
        ));
    }
    facts
}

/// Every property and header, headers by their own names.
fn headers(properties: &Value) -> Vec<(String, String)> {
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
    own.chain(headers).map(|(name, value)| (name.clone(), plain(value))).collect()
}

fn history(letter: &DeadLetterDetails) -> String {
    let mut table = Table::new(&["  WHEN", "WHAT", "WHO", "MORE"]);
    for event in &letter.events {
        table.row([
            format!("  {}", time(event.at)),
            event.event.clone(),
            event.by.clone(),
            event.detail.clone(),
        ]);
    }
    table.to_string()
}

fn next(letter: &DeadLetterDetails) -> Vec<(&'static str, String)> {
    let id = letter.row.id;
    let group = &letter.row.fingerprint;
    let mut facts = Vec::new();
    match letter.row.state.as_str() {
        "dead" | "held" => {
            facts.push(("send it back", suggest::command(&format!("dead-letters replay {id}"))));
        }
        "discarded" | "vanished" => {
            facts.push(("bring it back", suggest::command(&format!("dead-letters restore {id}"))));
        }
        _ => {}
    }
    facts.push(("its like", suggest::command(&format!("dead-letters list --group {group}"))));
    if let Some(pull) = letter.row.pull_id {
        facts.push(("its pull", suggest::command(&format!("show {pull}"))));
    }
    facts
}
