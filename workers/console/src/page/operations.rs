//! Page 6: what people have ordered, the newest first.

use serde_json::json;

use super::context::{Context, Found, json_of};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Section, Table, command},
    error::Error,
    route::Filters,
};

/// So many operations on a page.
const MOST: usize = 50;

/// Which of them are asked for.
pub(super) struct Asked {
    before: Option<i64>,
}

impl Asked {
    pub(super) fn parse(filters: &mut Filters) -> Result<Self, Error> {
        Ok(Self { before: filters.take("before")? })
    }
}

pub(super) async fn find(context: &Context<'_>, asked: Asked) -> Result<Found, Error> {
    let limit = 1 + i64::try_from(MOST).unwrap_or(i64::MAX);
    let mut operations = context.console.store.operations(asked.before, limit).await?;
    let more = operations.len() > MOST;
    operations.truncate(MOST);
    let rows = operations.iter().map(|row| {
        vec![
            Cell::text(row.id.to_string()).right().link(format!("/operations/{}", row.id)),
            Cell::text(row.state.clone()).tone(tone(&row.state)),
            Cell::ago(row.requested_at, context.now),
            Cell::text(row.requested_by.clone()),
            Cell::text(row.requested_from.clone()),
            Cell::code(row.command.clone()),
            Cell::text(row.outcome.clone().unwrap_or_else(|| "–".to_owned())),
        ]
    });
    let head = vec!["Number", "State", "Ordered", "By", "From", "Same as", "Outcome"];
    let table = Table {
        caption: "What people have ordered, the newest first".into(),
        head,
        rows: rows.collect(),
        empty: "Nobody has ordered anything.",
    };
    let mut blocks = vec![Block::Table(table)];
    let mut ways = Vec::new();
    if asked.before.is_some() {
        ways.push(Cell::text("Newest").link("/operations"));
    }
    if let Some(last) = operations.last().filter(|_| more) {
        ways.push(Cell::text("Older").link(format!("/operations?before={}", last.id)));
    }
    if !ways.is_empty() {
        blocks.push(Block::Filters("More", ways));
    }
    if !context.console.guard.allows_actions() {
        let words = "Nothing can be ordered here: the console is read-only without ALLOW_ACTIONS.";
        blocks.push(Block::Text(Cell::text(words)));
    }
    blocks.push(Block::Commands(vec![("The same as text", command("operations"))]));
    let sections = vec![Section::new("operations", "Operations", blocks)];
    let data = json!({ "operations": json_of(&operations), "more": more });
    Ok(Found { document: Document { title: "Operations".into(), sections }, data })
}

/// How good or bad the state of an operation is.
pub(super) fn tone(state: &str) -> Tone {
    match state {
        "done" => Tone::Good,
        "failed" => Tone::Bad,
        "stopped" | "stopping" => Tone::Notice,
        _ => Tone::Plain,
    }
}
