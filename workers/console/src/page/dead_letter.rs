//! Page 5: one dead letter: why, where it comes from, headers, body, history.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::{
    store::DeadLetterDetails,
    view::{
        dead_letter_state,
        format::{ago, count, number},
        readable,
    },
};

use super::{
    context::{Context, Found, json_of},
    dead_letter_group::tone,
};
use crate::{
    cell::Cell,
    document::{Block, Document, Section, Table, command},
    error::Error,
};

/// The longest body that is shown, in characters.
const LONGEST_BODY: usize = 20_000;

pub(super) async fn find(context: &Context<'_>, id: i64) -> Result<Found, Error> {
    let found = context.console.store.dead_letter(id).await?;
    let dead_letter = found.ok_or_else(|| Error::NotFound(format!("There is no dead letter {id}.")))?;
    let now = context.now;
    let (format, body) = readable(&dead_letter.body);
    let size = count(dead_letter.body.len(), "byte");
    let title = format!("Body: {format}, {size}");
    let shown: String = body.chars().take(LONGEST_BODY).collect();
    let sections = vec![
        Section::new("why", "Why", vec![Block::Facts(why(&dead_letter, now))]),
        Section::new("origin", "Where it comes from", vec![Block::Facts(origin(&dead_letter))]),
        Section::new("history", "History", vec![Block::Table(history(&dead_letter))]),
        Section::new("body", title, vec![Block::Verbatim("The message's body", shown)]),
        Section::new(
            "headers",
            "Headers and properties",
            vec![Block::Table(headers(&dead_letter.properties))],
        ),
        Section::new("next", "Where to look next", following(context, &dead_letter)),
    ];
    let mut data = json_of(&dead_letter);
    data["body"] = json!(body);
    Ok(Found { document: Document { title: format!("Dead letter {id}"), sections }, data })
}

fn why(dead_letter: &DeadLetterDetails, now: DateTime<Utc>) -> Vec<(&'static str, Cell)> {
    let row = &dead_letter.row;
    let attempts = format!(
        "{}; first {}, last {}",
        count(row.attempts, "attempt"),
        ago(row.first_failed_at, now),
        ago(row.last_failed_at, now)
    );
    let mut facts = vec![
        ("state", Cell::text(dead_letter_state(&row.state)).tone(tone(&row.state))),
        ("failure", Cell::text(row.message.clone())),
        ("code", Cell::text(format!("{} ({})", row.code, row.class))),
        (
            "group",
            Cell::code(row.fingerprint.clone()).link(format!("/dead-letters/groups/{}", row.fingerprint)),
        ),
        ("attempts", Cell::text(attempts)),
        ("last failed", Cell::moment(row.last_failed_at)),
        (
            "by",
            Cell::text(format!("{} {} on {}", row.stage, row.build, dead_letter.host))
                .link(format!("/dead-letters?stage={}", row.stage)),
        ),
    ];
    if !dead_letter.causes.is_empty() {
        facts.insert(2, ("caused by", Cell::text(dead_letter.causes.clone())));
    }
    if row.state == "held" {
        let until = dead_letter
            .held_until
            .as_ref()
            .map_or_else(|| "it is released".to_owned(), |build| format!("build {build} runs"));
        facts.push(("held until", Cell::text(until)));
    }
    facts
}

fn origin(dead_letter: &DeadLetterDetails) -> Vec<(&'static str, Cell)> {
    let row = &dead_letter.row;
    let mut facts = vec![
        ("queue", Cell::code(row.queue.clone())),
        ("message", Cell::text(format!("{} {}", dead_letter.kind, dead_letter.message_id))),
    ];
    if let Some(pull) = row.pull_id {
        facts.push(("pull", Cell::text(pull.to_string()).link(format!("/pulls/{pull}"))));
        facts.extend(row.chunk.map(|chunk| {
            ("chunk", Cell::text(chunk.to_string()).link(format!("/pulls/{pull}/chunks/{chunk}")))
        }));
    }
    facts.push(("replays", Cell::text(number(row.generation))));
    facts.extend(dead_letter.replay_of.map(|before| {
        ("was dead letter", Cell::text(format!("#{before}")).link(format!("/dead-letters/{before}")))
    }));
    facts
}

fn headers(properties: &Value) -> Table {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Object(tagged) => tagged.get("value").unwrap_or(value).to_string(),
        other => other.to_string(),
    };
    let own = properties.as_object().into_iter().flatten();
    let own = own.filter(|(name, value)| *name != "headers" && !value.is_null());
    let headers = properties["headers"].as_object().into_iter().flatten();
    let rows =
        own.chain(headers).map(|(name, value)| vec![Cell::code(name.clone()), Cell::code(plain(value))]);
    Table {
        caption: "As the message carries them".into(),
        head: vec!["Name", "Value"],
        rows: rows.collect(),
        empty: "None.",
    }
}

fn history(dead_letter: &DeadLetterDetails) -> Table {
    let rows = dead_letter.events.iter().map(|event| {
        vec![
            Cell::moment(event.at),
            Cell::text(event.event.clone()),
            Cell::text(event.by.clone()),
            Cell::text(event.detail.clone()),
        ]
    });
    let head = vec!["When", "Event", "By", "Detail"];
    Table {
        caption: "What happened to it, in order".into(),
        head,
        rows: rows.collect(),
        empty: "Nothing yet.",
    }
}

fn following(context: &Context<'_>, dead_letter: &DeadLetterDetails) -> Vec<Block> {
    let orders: &[(&str, &str)] = match dead_letter.row.state.as_str() {
        "dead" => &[("Replay", "replay"), ("Hold", "hold"), ("Discard", "discard")],
        "held" => &[("Replay", "replay"), ("Release", "release"), ("Discard", "discard")],
        "discarded" | "vanished" => &[("Restore", "restore")],
        _ => &[],
    };
    let id = dead_letter.row.id;
    let orders = orders.iter().map(|(words, kind)| (*words, format!("/order/{kind}?id={id}")));
    context.orders("It", orders).into_iter().chain([Block::Commands(next(dead_letter))]).collect()
}

fn next(dead_letter: &DeadLetterDetails) -> Vec<(&'static str, String)> {
    let (row, words) = (&dead_letter.row, |words: String| command(&format!("dead-letters {words}")));
    let mut commands = vec![("The same as text", words(format!("show {}", row.id)))];
    match row.state.as_str() {
        "dead" | "held" => {
            commands.push(("Send it back", words(format!("replay {}", row.id))));
            commands.push(("Discard it", words(format!("discard {}", row.id))));
        }
        "discarded" | "vanished" => commands.push(("Bring it back", words(format!("restore {}", row.id)))),
        _ => {}
    }
    commands.push(("The same cause", words(format!("list --group {}", row.fingerprint))));
    commands
}
