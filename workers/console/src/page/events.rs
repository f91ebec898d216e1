//! Page 7: warnings and errors of all workers, the latest first.

use chrono::TimeDelta;
use serde_json::json;
use shared::{
    store::EventFilter,
    view::{
        Moment,
        format::{count, number},
    },
};

use super::{
    context::{Context, Found, json_of},
    pulls::choices,
};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Section, Table, command},
    error::Error,
    route::Filters,
};

/// The most events on a page: the newest.
const MOST: i64 = 100;
/// How far back, where nobody says.
const USUALLY: TimeDelta = TimeDelta::hours(24);
/// Ways to choose how far back.
const SINCE: [&str; 4] = ["1h", "6h", "7days", "30days"];

/// Which events are asked for.
pub(super) struct Asked {
    level: Option<&'static str>,
    since: Option<String>,
    pull: Option<i64>,
}

impl Asked {
    pub(super) fn parse(filters: &mut Filters) -> Result<Self, Error> {
        Ok(Self {
            level: filters.take_one_of("level", &["error"])?,
            since: filters.take("since")?,
            pull: filters.take("pull")?,
        })
    }

    fn given(&self, level: Option<&str>, since: Option<&str>) -> Vec<(&'static str, String)> {
        let pull = self.pull.map(|pull| pull.to_string());
        let given = [("level", level), ("since", since), ("pull", pull.as_deref())];
        given.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))).collect()
    }

    fn address(&self, level: Option<&str>, since: Option<&str>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let query = query.extend_pairs(self.given(level, since)).finish();
        if query.is_empty() { "/events".to_owned() } else { format!("/events?{query}") }
    }
}

pub(super) async fn find(context: &Context<'_>, asked: Asked) -> Result<Found, Error> {
    let now = context.now;
    let odd = |why: &'static str| Error::BadRequest(format!("The filter since is not understood: {why}."));
    let moment = asked.since.as_deref().map(str::parse::<Moment>).transpose().map_err(odd)?;
    let filter = EventFilter {
        since: moment.map_or(now - USUALLY, |moment| moment.time(now)),
        errors_only: asked.level.is_some(),
        pull_id: asked.pull,
        limit: MOST,
    };
    let events = context.console.store.events(filter).await?;
    let rows = events.iter().rev().map(|event| {
        let tone = if event.level == "ERROR" { Tone::Bad } else { Tone::Notice };
        let about = match (event.pull_id, event.chunk) {
            (Some(pull), Some(chunk)) if chunk > 0 => {
                Cell::text(format!("{pull}/{chunk}")).link(format!("/pulls/{pull}/chunks/{chunk}"))
            }
            (Some(pull), _) => Cell::text(pull.to_string()).link(format!("/pulls/{pull}")),
            _ => Cell::text("–"),
        };
        vec![
            Cell::ago(event.last_at, now),
            Cell::text(event.level.to_lowercase()).tone(tone),
            Cell::number(event.count),
            Cell::text(event.stage.clone()),
            about,
            Cell::text(event.message.clone()),
            Cell::code(event.code.clone().unwrap_or_default()),
            Cell::ago(event.first_at, now),
        ]
    });
    let head = vec!["Last", "Level", "Times", "Stage", "Pull/chunk", "What", "Code", "First"];
    let table = Table {
        caption: format!("One row per day and cause, the latest first, at most {}", number(MOST)),
        head,
        rows: rows.collect(),
        empty: "No warnings and no errors.",
    };
    let given = asked.given(asked.level, asked.since.as_deref());
    let flags = given.iter().map(|(name, value)| format!(" --{name} {value}")).collect::<Vec<_>>().concat();
    let blocks = vec![
        Block::Filters(
            "Level",
            choices("all", &["error"], asked.level, |level| asked.address(level, asked.since.as_deref())),
        ),
        Block::Filters(
            "Since",
            choices("24h", &SINCE, asked.since.as_deref(), |since| asked.address(asked.level, since)),
        ),
        Block::Table(table),
        Block::Commands(vec![
            ("The same as text", command(&format!("events{flags}"))),
            ("What happened, in one line of time", command("history")),
        ]),
    ];
    let title = count(events.len(), "event");
    let data = json!({ "events": json_of(&events) });
    let sections = vec![Section::new("events", title, blocks)];
    Ok(Found { document: Document { title: "Events".into(), sections }, data })
}
