//! Page 10: processes, the broker's queues declared against found, and the console's own settings.

use serde_json::json;
use shared::{
    store::AuditRow,
    topology::{self, STAGES},
    view::format::{count, duration},
};

use super::context::{Context, Found, json_of};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Section, Table, command},
    error::Error,
    sampler::Sample,
};

/// Most orders that are shown.
const MOST_ORDERS: i64 = 30;

pub(super) async fn find(context: &Context<'_>) -> Result<Found, Error> {
    let sample = &*context.sample;
    let facts = &sample.health.facts;
    let mut sections = Vec::new();
    let troubles: Vec<Block> = facts
        .database_trouble
        .iter()
        .chain(&facts.broker_trouble)
        .map(|trouble| {
            Block::Text(
                Cell::text(format!("{trouble}. What is shown of it was known before, and is stale."))
                    .tone(Tone::Bad),
            )
        })
        .collect();
    if !troubles.is_empty() {
        sections.push(Section::new("trouble", "Unavailable", troubles));
    }
    sections.push(Section::new("workers", "Workers", workers(context)));
    sections.push(Section::new("topology", "Queues, declared against found", queues(context, sample)));
    // The rest of the page is known without the database.
    let orders = context.console.store.audit(MOST_ORDERS).await.ok();
    let known = orders.as_deref().map_or_else(
        || vec![Block::Text(Cell::text("It cannot be read now.").tone(Tone::Bad))],
        |orders| audit(orders, context),
    );
    sections.push(Section::new("audit", "Audit", known));
    let settings = vec![
        Block::Verbatim("Settings of the console, secrets masked", context.console.shown_settings.clone()),
        Block::Commands(vec![("Settings of the operator", command("config show"))]),
    ];
    sections.push(Section::new("settings", "Settings of the console", settings));
    let declared = topology::queues(&context.console.sampler.delays);
    let data = json!({
        "workers": json_of(&sample.known.workers),
        "queues": declared.iter().map(|queue| {
            let found = sample.depths.iter().find(|depth| depth.name == queue.name);
            json!({
                "name": queue.name,
                "found": found.is_some_and(|depth| depth.ready.is_some()),
                "ready": found.and_then(|depth| depth.ready),
                "consumers": found.and_then(|depth| depth.consumers),
            })
        }).collect::<Vec<_>>(),
        "audit": json_of(&orders),
        "broker_trouble": facts.broker_trouble, "database_trouble": facts.database_trouble,
    });
    Ok(Found { document: Document { title: "Workers".into(), sections }, data })
}

fn audit(orders: &[AuditRow], context: &Context<'_>) -> Vec<Block> {
    let rows = orders.iter().map(|order| {
        let number = order.operation_id.map_or_else(
            || Cell::text("–"),
            |id| Cell::text(id.to_string()).link(format!("/operations/{id}")),
        );
        vec![
            Cell::ago(order.at, context.now),
            Cell::text(order.by.clone()),
            Cell::text(order.place.clone().unwrap_or_else(|| "–".to_owned())),
            Cell::text(order.action.clone()),
            Cell::code(order.detail.clone()),
            number.right(),
        ]
    });
    let table = Table {
        caption: format!("Who ordered what, the newest {MOST_ORDERS}"),
        head: vec!["When", "By", "From", "What", "With", "Operation"],
        rows: rows.collect(),
        empty: "Nobody has ordered anything.",
    };
    vec![Block::Table(table), Block::Commands(vec![("Operations as text", command("operations"))])]
}

fn workers(context: &Context<'_>) -> Vec<Block> {
    let (sample, now) = (&*context.sample, context.now);
    let rows = sample.known.workers.iter().map(|worker| {
        let tone = match worker.state.as_str() {
            "consuming" => Tone::Good,
            "draining" => Tone::Notice,
            _ => Tone::Bad,
        };
        let state = worker
            .reason
            .as_ref()
            .map_or_else(|| worker.state.clone(), |reason| format!("{}: {reason}", worker.state));
        vec![
            Cell::text(worker.stage.clone()),
            Cell::text(state).tone(tone),
            Cell::text(duration(now - worker.since)).right(),
            Cell::number(worker.in_hand),
            Cell::ago(worker.seen_at, now),
            Cell::code(worker.build.clone()),
            Cell::text(worker.host.clone()),
            Cell::code(worker.replica.clone()),
        ]
    });
    let head = vec!["Stage", "State", "For", "In hand", "Heartbeat", "Build", "Host", "Replica"];
    let missing =
        STAGES.iter().filter(|stage| sample.known.workers.iter().all(|worker| worker.stage != stage.name));
    let missing: Vec<&str> = missing.map(|stage| stage.name).collect();
    let table = Table {
        caption: "Each process that was heard of within a minute".into(),
        head,
        rows: rows.collect(),
        empty: "No worker was heard of within a minute.",
    };
    let mut blocks = vec![Block::Table(table)];
    if !missing.is_empty() {
        let text = format!("Not heard of within a minute: {}.", missing.join(", "));
        blocks.insert(0, Block::Text(Cell::text(text).tone(Tone::Bad)));
    }
    blocks.push(Block::Commands(vec![("The same as text", command("status"))]));
    blocks
}

fn queues(context: &Context<'_>, sample: &Sample) -> Vec<Block> {
    let declared = topology::queues(&context.console.sampler.delays);
    let depth = |name: &str| sample.depths.iter().find(|depth| depth.name == name);
    let rows = declared.iter().map(|queue| {
        let found = depth(&queue.name);
        let ready = found.and_then(|depth| depth.ready);
        let state = match (ready, sample.broker_at) {
            (Some(_), _) => Cell::text("found").tone(Tone::Good),
            (None, Some(_)) => Cell::text("missing").tone(Tone::Bad),
            (None, None) => Cell::text("unknown"),
        };
        let dash = || Cell::text("–").right();
        vec![
            Cell::code(queue.name.clone()),
            state,
            ready.map_or_else(dash, Cell::number),
            found.and_then(|depth| depth.consumers).map_or_else(dash, Cell::number),
        ]
    });
    let table = Table {
        caption: format!("{} that this build declares", count(declared.len(), "queue")),
        head: vec!["Queue", "In RabbitMQ", "Ready", "Consumers"],
        rows: rows.collect(),
        empty: "",
    };
    let commands = vec![
        ("The same as text, with arguments and bindings", command("topology")),
        ("Declare what is missing", command("topology --declare")),
    ];
    vec![Block::Table(table), Block::Commands(commands)]
}
