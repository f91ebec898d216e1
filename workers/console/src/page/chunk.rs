//! Page 4: one chunk: what Twitch sent, what was stored, what was rejected, and how it went through the stages.

use chrono::{DateTime, Utc};
use serde_json::json;
use shared::{
    schema::PullId,
    store::{
        ChunkReport, ChunkStream, DEAD_LETTER_STATES, DeadLetterFilter, DeadLetterRow, RejectedRecord,
        RetryRow,
    },
    topology::STAGES,
    view::format::{count, duration, first_line, number},
};

use super::{
    context::{Context, Found, json_of},
    dead_letter_group,
};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Section, Table, command},
    error::Error,
};

/// The most rejected records that are shown; the JSON has all.
const MOST_REJECTS: usize = 30;

pub(super) async fn find(context: &Context<'_>, pull: PullId, chunk: i32) -> Result<Found, Error> {
    let (store, now) = (&context.console.store, context.now);
    let report = store.chunk_report(pull, chunk).await?;
    let streams = store.chunk_streams(&report).await?;
    let rejects = store.chunk_rejects(&report).await?;
    let retries = store.chunk_retries(pull, chunk).await?;
    let numbers = store.chunk_dead_letters(pull, chunk).await?;
    let dead_letters = if numbers.is_empty() {
        Vec::new()
    } else {
        let states = Some(DEAD_LETTER_STATES.map(str::to_owned).to_vec());
        let filter = DeadLetterFilter { ids: Some(numbers), states, ..DeadLetterFilter::default() };
        store.list_dead_letters(&filter, 0, 20).await?
    };
    let mut sections = vec![
        Section::new("chunk", "What came of it", facts(&report)),
        Section::new("stages", "Stages", vec![Block::Table(stages(&report))]),
    ];
    if !retries.is_empty() {
        sections.push(Section::new("retries", "Retried now", vec![Block::Table(retried(&retries, now))]));
    }
    if !dead_letters.is_empty() {
        sections.push(Section::new("dead-letters", "Dead letters", vec![dead(&dead_letters, now)]));
    }
    sections.push(Section::new("streams", "What was stored", vec![Block::Table(stored(&streams))]));
    sections.push(Section::new("rejects", "What was rejected", rejected(pull, chunk, &rejects)));
    let data = json!({
        "chunk": json_of(&report), "streams": json_of(&streams), "rejected": json_of(&rejects),
        "retries": json_of(&retries), "dead_letters": json_of(&dead_letters),
    });
    Ok(Found { document: Document { title: format!("Pull {pull}, chunk {chunk}"), sections }, data })
}

fn facts(report: &ChunkReport) -> Vec<Block> {
    let records = format!(
        "fetched {} = stored {} + rejected {} + duplicates {}",
        number(report.fetched),
        number(report.stored),
        number(report.rejected),
        number(report.duplicates)
    );
    let mut facts = vec![
        ("pull", Cell::text(report.pull_id.to_string()).link(format!("/pulls/{}", report.pull_id))),
        ("records", Cell::text(records)),
        ("calls to Helix", Cell::text(format!("{} for its games and channels", number(report.helix_calls)))),
    ];
    if let (Some(stage), Some(failure)) = (&report.failed_stage, &report.failure) {
        let tone = if report.merged_at.is_some() { Tone::Notice } else { Tone::Bad };
        facts.push(("last failure", Cell::text(format!("at the {stage}: {failure}")).tone(tone)));
    }
    facts.extend(report.failed_at.map(|at| ("failed", Cell::moment(at))));
    vec![Block::Facts(facts)]
}

fn stages(report: &ChunkReport) -> Table {
    let done = [Some(report.stored_at), report.games_at, report.channels_at, report.merged_at];
    let mut before = Some(report.pulled_at);
    let rows = STAGES.iter().zip(done).map(|(stage, at)| {
        let took = before.zip(at).map_or_else(|| "–".to_owned(), |(from, to)| duration(to - from));
        before = at;
        let state = if at.is_some() { Cell::text("done").tone(Tone::Good) } else { Cell::text("not yet") };
        vec![Cell::text(stage.name), state, Cell::maybe(at), Cell::text(took).right()]
    });
    let caption = "When each stage was done with it, and how long after the one before".to_owned();
    Table { caption, head: vec!["Stage", "State", "Done", "After"], rows: rows.collect(), empty: "" }
}

fn retried(retries: &[RetryRow], now: DateTime<Utc>) -> Table {
    let rows = retries.iter().map(|retry| {
        vec![
            Cell::text(retry.stage.clone()),
            Cell::number(retry.attempts),
            Cell::ago(retry.first_failed_at, now),
            Cell::moment(retry.retry_at),
            Cell::text(format!("{}: {}", retry.code, retry.message)),
        ]
    });
    let head = vec!["Stage", "Attempts", "First failed", "Next try", "Why"];
    Table { caption: "Messages about it that failed".into(), head, rows: rows.collect(), empty: "" }
}

fn dead(dead_letters: &[DeadLetterRow], now: DateTime<Utc>) -> Block {
    Block::Table(dead_letter_group::list(dead_letters, "About this chunk, in every state", now))
}

fn stored(streams: &[ChunkStream]) -> Table {
    let rows = streams.iter().map(|stream| {
        vec![
            Cell::code(stream.stream_id.clone()),
            Cell::text(stream.channel_login.clone()),
            Cell::text(stream.game_name.clone()),
            Cell::number(stream.viewer_count),
            Cell::text(stream.language.clone()),
            Cell::text(stream.title.clone()),
            if stream.merged { Cell::text("merged").tone(Tone::Good) } else { Cell::text("not yet") },
        ]
    });
    let caption = format!("{}, the most viewers first", count(streams.len(), "stream"));
    let head = vec!["Stream", "Channel", "Game", "Viewers", "Language", "Title", "Merged"];
    Table { caption, head, rows: rows.collect(), empty: "Nothing was stored." }
}

fn rejected(pull: PullId, chunk: i32, rejects: &[RejectedRecord]) -> Vec<Block> {
    let rows = rejects.iter().take(MOST_REJECTS).map(|reject| {
        vec![
            Cell::number(reject.place),
            Cell::code(reject.rule.clone()),
            Cell::text(first_line(&reject.detail, 200)),
            Cell::code(first_line(&reject.raw, 300)),
        ]
    });
    let rest = rejects.len().saturating_sub(MOST_REJECTS);
    let rest = if rest > 0 {
        format!("; {} more are in the JSON of this page", number(rest))
    } else {
        String::new()
    };
    let caption = format!("{}, as Twitch sent them{rest}", count(rejects.len(), "record"));
    let head = vec!["Place", "Rule", "Why", "Record"];
    let table = Table { caption, head, rows: rows.collect(), empty: "Nothing was rejected." };
    let mut blocks = vec![Block::Table(table)];
    if let Some(first) = rejects.first() {
        let show = command(&format!("rejected show {pull}/{chunk}/{}", first.place));
        blocks.push(Block::Commands(vec![("Show one in full", show)]));
    }
    blocks
}
