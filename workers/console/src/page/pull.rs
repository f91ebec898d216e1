//! Page 3: one pull: its stages in time, its chunks, its counts, and what stops it.

use chrono::{DateTime, Utc};
use serde_json::json;
use shared::{
    schema::PullId,
    store::{PullReport, RejectedRecord, RerunRow, StageSpan, Waiting},
    view::{
        by_rule, describe_channels, describe_games, describe_incomplete, describe_records, describe_stop,
        format::{ago, count, duration, first_line, number},
        pull_obstacle,
    },
};

use super::chunk_map::{MAP, map};
use super::context::{Context, Found, json_of};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Plot, Section, Table, command},
    error::Error,
    picture,
    route::Filters,
};

/// The most waiting chunks that are shown, retried messages that are looked through, and rejected records of a rule.
const MOST_WAITING: i64 = 20;
const MOST_RETRIES: i64 = 1_000;
const MOST_REJECTS: i64 = 20;
const MOST_RERUNS: i64 = 20;

/// Which part is asked for.
pub(super) struct Asked {
    from: i32,
    rule: Option<String>,
}

impl Asked {
    pub(super) fn parse(filters: &mut Filters) -> Result<Self, Error> {
        let from = filters.take::<u16>("from")?.map_or(1, |from| i32::from(from).max(1));
        Ok(Self { from, rule: filters.take("rule")? })
    }
}

pub(super) async fn find(context: &Context<'_>, id: PullId, asked: Asked) -> Result<Found, Error> {
    let (store, now) = (&context.console.store, context.now);
    let pull = store.pull_report(id).await?;
    let (workers, retries) = (store.worker_states(now).await?, store.retries(MOST_RETRIES).await?);
    let obstacle = pull_obstacle(&pull, &store.stage_pauses(now).await?, &workers, &retries, now);
    let stages = store.stage_spans(id).await?;
    let waiting = store.waiting(id, MOST_WAITING).await?;
    let chunks = store.chunk_states(id, asked.from, MAP.into()).await?;
    let reruns = store.reruns(id.0, MOST_RERUNS).await?;
    let rejects = match &asked.rule {
        Some(rule) => store.rejected_records(id, Some(rule), 0, MOST_REJECTS).await?,
        None => Vec::new(),
    };
    let mut sections = vec![
        Section::new("pull", "How it went", progress(&pull, obstacle.as_deref(), now)),
        Section::new("stages", "Stages", vec![Block::Plot(timeline(&pull, &stages, now))]),
        Section::new("chunks", "Chunks", map(&pull, &chunks, asked.from)),
        Section::new("counts", "Counts", counts(&pull)),
    ];
    if let Some(rule) = &asked.rule {
        let title = format!("Rejected by {}", first_line(rule, 60));
        sections.push(Section::new("rejects", title, vec![Block::Table(rejected(id, &rejects))]));
    }
    if !waiting.is_empty() {
        sections.push(Section::new(
            "waiting",
            "Chunks not done",
            vec![Block::Table(not_done(&pull, &waiting, now))],
        ));
    }
    if !reruns.is_empty() {
        sections.push(Section::new("reruns", "Reruns", vec![Block::Table(again(&reruns, now))]));
    }
    sections.push(Section::new("next", "Where to look next", following(context, &pull)));
    let data = json!({
        "pull": json_of(&pull), "stages": json_of(&stages), "waiting": json_of(&waiting), "obstacle": obstacle,
        "chunks": json_of(&chunks), "reruns": json_of(&reruns), "rejected_records": json_of(&rejects),
    });
    Ok(Found { document: Document { title: format!("Pull {id}"), sections }, data })
}

fn progress(pull: &PullReport, obstacle: Option<&str>, now: DateTime<Utc>) -> Vec<Block> {
    let requested = match pull.slot {
        Some(slot) => {
            Cell { text: format!("the schedule, for {}", Cell::moment(slot).text), ..Cell::moment(slot) }
        }
        None => Cell::text(pull.requested_by.clone()),
    };
    let mut facts = vec![
        ("status", Cell::text(pull.status.clone()).tone(Tone::of_status(&pull.status))),
        ("requested by", requested),
        (
            "started",
            Cell {
                text: format!("{} ({})", Cell::moment(pull.started_at).text, ago(pull.started_at, now)),
                ..Cell::moment(pull.started_at)
            },
        ),
    ];
    match pull.completed_at {
        Some(end) => {
            let text = format!(
                "{} ({}), after {}",
                Cell::moment(end).text,
                ago(end, now),
                duration(end - pull.started_at)
            );
            facts.push(("ended", Cell { text, ..Cell::moment(end) }));
        }
        None => facts.push(("in progress", Cell::text(format!("for {}", duration(now - pull.started_at))))),
    }
    facts.extend(obstacle.map(|obstacle| ("waiting", Cell::text(obstacle).tone(Tone::Bad))));
    if let Some(reason) = &pull.stop_reason {
        facts.push(("stopped", Cell::text(format!("{} ({reason})", describe_stop(reason)))));
    }
    facts.extend(describe_incomplete(pull).map(|why| ("incomplete", Cell::text(why).tone(Tone::Notice))));
    if pull.rescues > 0 {
        let times = format!("re-announced {}", count(pull.rescues, "time"));
        facts.push(("stalled", Cell::text(times).tone(Tone::Notice)));
    }
    facts.extend(pull.error.clone().map(|error| ("error", Cell::text(error).tone(Tone::Bad))));
    vec![Block::Facts(facts)]
}

fn timeline(pull: &PullReport, stages: &[StageSpan], now: DateTime<Utc>) -> Plot {
    let last = stages.iter().filter_map(|span| span.last_at).max();
    let end = pull.completed_at.or(last).unwrap_or(now).max(pull.started_at);
    let bars: Vec<_> =
        stages.iter().map(|span| (span.stage.to_owned(), span.first_at, span.last_at)).collect();
    let after = |at: Option<DateTime<Utc>>| {
        let text = at.map_or_else(|| "–".to_owned(), |at| format!("+{}", duration(at - pull.started_at)));
        Cell { text, moment: at.map(|at| at.to_rfc3339()), ..Cell::default() }.right()
    };
    let of = if pull.extracted_at.is_some() { number(pull.chunks) } else { "?".to_owned() };
    let rows = stages.iter().map(|span| {
        let busy =
            span.first_at.zip(span.last_at).map_or_else(|| "–".to_owned(), |(from, to)| duration(to - from));
        vec![
            Cell::text(span.stage),
            Cell::text(format!("{} of {of}", number(span.chunks))).right(),
            after(span.first_at),
            after(span.last_at),
            Cell::text(busy).right(),
        ]
    });
    let done = stages.last().map_or(0, |span| span.chunks);
    Plot {
        id: "stages-plot",
        title: format!("When each stage worked on pull {}", pull.pull_id),
        summary: format!("{} merged within {}.", count(done, "chunk"), duration(end - pull.started_at)),
        picture: picture::spans(&bars, pull.started_at, end),
        table: Table {
            caption: "From the first chunk done to the last, after the start".into(),
            head: vec!["Stage", "Chunks", "First done", "Last done", "Busy for"],
            rows: rows.collect(),
            empty: "",
        },
        folded: false,
    }
}

fn counts(pull: &PullReport) -> Vec<Block> {
    let mut facts = vec![("records", Cell::text(describe_records(pull)))];
    facts.extend(describe_games(pull).map(|games| ("games", Cell::text(games))));
    facts.extend(describe_channels(pull).map(|channels| ("channels", Cell::text(channels))));
    facts.push(("pages", Cell::text(number(pull.pages))));
    facts.push(("calls to Helix", Cell::text(number(pull.helix_calls))));
    if pull.nul_replaced > 0 {
        facts.push(("U+0000 replaced", Cell::text(number(pull.nul_replaced))));
    }
    let mut blocks = vec![Block::Facts(facts)];
    if !pull.rejected_by_rule.is_empty() {
        let rows = by_rule(pull).map(|(rule, records)| {
            let query: String = url::form_urlencoded::byte_serialize(rule.as_bytes()).collect();
            let samples = format!("/pulls/{}?rule={query}#rejects", pull.pull_id);
            vec![
                Cell::code(rule),
                Cell::number(records).link(samples).bar(records.into(), pull.rejected.into()),
            ]
        });
        let caption = "Rejected records by rule".to_owned();
        blocks.push(Block::Table(Table {
            caption,
            head: vec!["Rule", "Records"],
            rows: rows.collect(),
            empty: "",
        }));
        let list = command(&format!("rejected list --pull {}", pull.pull_id));
        let check = command(&format!("rejected revalidate --pull {} --dry-run", pull.pull_id));
        blocks.push(Block::Commands(vec![("List them all", list), ("See which would pass today", check)]));
    }
    blocks
}

fn rejected(pull: PullId, records: &[RejectedRecord]) -> Table {
    let rows = records.iter().map(|record| {
        vec![
            Cell::text(format!("{}/{}", record.chunk, record.place))
                .right()
                .link(format!("/pulls/{pull}/chunks/{}#rejects", record.chunk)),
            Cell::text(record.detail.clone()),
            Cell::code(first_line(&record.raw, 200)),
        ]
    });
    let caption = format!("The first {MOST_REJECTS} in the order of the pages");
    Table {
        caption,
        head: vec!["Chunk/place", "Why", "Record"],
        rows: rows.collect(),
        empty: "There are none.",
    }
}

fn not_done(pull: &PullReport, waiting: &[Waiting], now: DateTime<Utc>) -> Table {
    let rows = waiting.iter().map(|chunk| {
        vec![
            Cell::text(number(chunk.chunk))
                .right()
                .link(format!("/pulls/{}/chunks/{}", pull.pull_id, chunk.chunk)),
            Cell::text(chunk.stage.clone()),
            Cell::ago(chunk.since, now),
            Cell::text(chunk.failure.clone().unwrap_or_default()),
        ]
    });
    let all = i64::from(pull.chunks) - pull.merged_chunks;
    let caption =
        format!("{}, those that failed first; at most {MOST_WAITING} are shown", count(all, "chunk"));
    Table {
        caption,
        head: vec!["Chunk", "Waiting for", "Since", "Last failure"],
        rows: rows.collect(),
        empty: "",
    }
}

fn again(reruns: &[RerunRow], now: DateTime<Utc>) -> Table {
    let rows = reruns.iter().map(|rerun| {
        vec![
            Cell::ago(rerun.at, now),
            Cell::text(rerun.by.clone()),
            Cell::text(rerun.from_stage.clone()),
            Cell::code(rerun.build.clone()),
            Cell::text(rerun.was_status.clone()),
        ]
    });
    let head = vec!["When", "By", "From stage", "Build", "It was"];
    Table { caption: "Made again from its stored pages".into(), head, rows: rows.collect(), empty: "" }
}

fn following(context: &Context<'_>, pull: &PullReport) -> Vec<Block> {
    let id = pull.pull_id;
    let (words, kind) =
        if pull.completed_at.is_some() { ("Run again", "rerun") } else { ("Cancel", "cancel") };
    let orders = context.orders("The pull", [(words, format!("/order/{kind}?pull={id}"))]);
    let trace = Cell::text("What each stage did, and when").link(format!("/trace?pull={id}"));
    orders.into_iter().chain([Block::Text(trace), Block::Commands(next(pull))]).collect()
}

fn next(pull: &PullReport) -> Vec<(&'static str, String)> {
    let id = pull.pull_id;
    let mut commands = vec![("The same as text", command(&format!("show {id}")))];
    if pull.completed_at.is_none() {
        commands.push(("Follow it", command(&format!("wait {id}"))));
    }
    commands.push(("Its dead letters", command(&format!("dead-letters list --pull {id}"))));
    if pull.completed_at.is_some() {
        commands.push(("Make it again from its stored pages", command(&format!("rerun {id}"))));
    }
    commands
}
