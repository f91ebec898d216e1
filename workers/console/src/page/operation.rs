//! Page 6: one operation: who ordered it, its steps as they are made, a way to stop it, and what came of it.

use serde_json::json;
use shared::{
    store::{OperationRow, Outcome, ReplayReport},
    view::{
        describe_operation,
        format::{duration, number},
    },
};

use super::{
    context::{Context, Found, json_of},
    operations::tone,
};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Form, Section, Table, command},
    error::Error,
};

/// Most steps, and most dead letters that failed again, that are shown: the newest.
const MOST: i64 = 60;

pub(super) async fn find(context: &Context<'_>, id: i64) -> Result<Found, Error> {
    let store = &context.console.store;
    let row = store.operation(id).await?;
    let row = row.ok_or_else(|| Error::NotFound(format!("There is no operation {id}.")))?;
    let steps = store.operation_steps(id).await?;
    let (replay, outcomes) = match row.replay_id {
        Some(replay) => (store.replay_report(replay).await?, store.replay_failures(replay, MOST).await?),
        None => (None, Vec::new()),
    };
    let mut sections = vec![Section::new("operation", "What was ordered", ordered(context, &row))];
    let most = usize::try_from(MOST).unwrap_or_default();
    let shown =
        steps.iter().rev().take(most).map(|step| vec![Cell::moment(step.at), Cell::text(step.step.clone())]);
    let table = Table {
        caption: "What was done, the newest first".into(),
        head: vec!["When", "Step"],
        rows: shown.collect(),
        empty: "Nothing yet.",
    };
    sections.push(Section::new("steps", "Steps", vec![Block::Table(table)]));
    if let Some(report) = &replay {
        sections.push(Section::new("results", "Results", results(report, &outcomes)));
    }
    let data = json!({ "operation": json_of(&row), "steps": json_of(&steps), "replay": json_of(&replay) });
    Ok(Found { document: Document { title: format!("Operation {id}"), sections }, data })
}

fn ordered(context: &Context<'_>, row: &OperationRow) -> Vec<Block> {
    let mut facts = vec![
        ("state", Cell::text(row.state.clone()).tone(tone(&row.state))),
        ("ordered by", Cell::text(format!("{}, from the {}", row.requested_by, row.requested_from))),
        ("ordered", Cell::moment(row.requested_at)),
    ];
    facts.extend(row.counted.map(|counted| ("dead letters then", Cell::text(number(counted)))));
    facts.extend(row.carried_by.clone().map(|carrier| ("carried out by", Cell::code(carrier))));
    if let Some(started) = row.started_at {
        let took = row.ended_at.unwrap_or(context.now) - started;
        facts.push(("takes", Cell::text(duration(took))));
    }
    let mut blocks = vec![
        Block::Text(Cell::text(describe_operation(row) + ".").tone(tone(&row.state))),
        Block::Facts(facts),
    ];
    let open = row.ended_at.is_none();
    if open && row.stop_at.is_none() && context.console.guard.allows_actions() {
        blocks.push(Block::Form(Form {
            action: format!("/operations/{}/stop", row.id),
            changes: true,
            danger: true,
            fields: Vec::new(),
            button: format!("Stop operation {}", row.id),
        }));
    }
    let mut commands = vec![
        ("Same as", command(&row.command)),
        ("The same as text", command(&format!("operations show {}", row.id))),
    ];
    if open {
        commands.push(("Stop it", command(&format!("operations stop {}", row.id))));
    }
    blocks.push(Block::Commands(commands));
    blocks
}

fn results(report: &ReplayReport, outcomes: &[Outcome]) -> Vec<Block> {
    let tone = |n: i64, tone: Tone| if n > 0 { tone } else { Tone::Plain };
    let mut facts = vec![
        ("dead letters", Cell::text(number(report.letters))),
        ("resolved", Cell::text(number(report.done)).tone(tone(report.done, Tone::Good))),
        (
            "failed again, same cause",
            Cell::text(number(report.returned_same)).tone(tone(report.returned_same, Tone::Bad)),
        ),
        (
            "failed again, new cause",
            Cell::text(number(report.returned_different)).tone(tone(report.returned_different, Tone::Bad)),
        ),
        ("pending", Cell::text(number(report.pending))),
        ("not sent", Cell::text(number(report.not_sent))),
    ];
    facts.extend(report.cured_by.clone().map(|build| ("first handled by", Cell::code(build))));
    let rows: Vec<_> = outcomes
        .iter()
        .map(|one| {
            let now = one.came_back_as.map_or_else(
                || Cell::text("–"),
                |id| Cell::text(format!("#{id}")).link(format!("/dead-letters/{id}")),
            );
            vec![
                Cell::text(format!("#{}", one.id)).link(format!("/dead-letters/{}", one.id)),
                Cell::text(one.outcome.clone().unwrap_or_default()),
                Cell::code(one.build.clone().unwrap_or_default()),
                now,
            ]
        })
        .collect();
    let mut blocks = vec![Block::Facts(facts)];
    if !rows.is_empty() {
        let head = vec!["Dead letter", "Outcome", "Build", "Now"];
        let caption = format!("What failed again, at most {MOST}");
        blocks.push(Block::Table(Table { caption, head, rows, empty: "" }));
    }
    let words = format!("dead-letters report {}", report.replay_id);
    blocks.push(Block::Commands(vec![("The results as text", command(&words))]));
    blocks
}
