//! A month of pulls: how long the operator takes to explain a row, or why there is none.
//!
//! All rows of a month of 20,000 streams every ten minutes would be 86 million, about 130 GB. What a trace costs depends
//! on the number of pulls of a day and on the size of the pull that it looks into. So all 4,320 pulls are there, most
//! with one chunk, and five of each day with all of their rows: of 20,000 streams 3 million rows, about 6 GB with the
//! small ones. Rows are drawn from all that are there, which are nearly always of a whole pull.

use std::time::{Duration, Instant};

use tokio::process::Command;
use tokio_postgres::Row;

use super::table::{History, history};
use crate::{
    flow::{Flow, Shape, variables},
    outcome::{Outcome, say},
    services::must_exist,
    setting::Setting,
};

/// How long an answer may take.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Pulls of each day that are put in place whole.
const WHOLE_A_DAY: u32 = 5;
/// More rows than a pull has.
const ALL: u32 = 10_000_000;
/// A stream, or a channel, that was never there.
const NEVER: &str = "99000001";
/// How many questions of the kinds that are asked less often.
const FEW: usize = 20;
/// A stream that only the first pull of all has.
const OLDEST: &str = "99000002";

pub(crate) async fn run(setting: &Setting, past: History, asked: u32) -> Outcome<()> {
    must_exist(&setting.programs.join("operator"), "cargo build --release")?;
    let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
    flow.start_all(1).await?;
    let pull = flow.request().await?;
    flow.succeeded(pull).await?;
    history(&flow.db, pull, past).await?;
    history(&flow.db, pull, History { pulls: WHOLE_A_DAY * past.days, rows: ALL, ..past }).await?;
    let size = "select pg_size_pretty(pg_database_size(current_database())) as size";
    let size: String = flow.db.query_one(size, &[]).await?.try_get("size")?;
    say(&format!("   the database has {size}"))?;
    let oldest = "update pull_data set stream_id = $1 where (pull_id, pulled_at, stream_id) =
        (select d.pull_id, d.pulled_at, d.stream_id
         from (select id, started_at from pull order by started_at limit 1) p
         join pull_data d on d.pull_id = p.id and d.pulled_at = p.started_at limit 1)";
    flow.db.execute(oldest, &[&OLDEST]).await?;
    let random =
        "select pull_id::text as pull, stream_id as stream, chunk::text as chunk, channel_id as channel
        from pull_data tablesample system (10) where stream_id <> $1 order by random() limit $2";
    let rows = flow.db.query(random, &[&OLDEST, &i64::from(asked)]).await?;
    let words = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let of_a_pull =
        |stream: &str, pull: &str| words(&format!("trace --stream {stream} --pull {pull} --json"));
    let few = || rows.iter().take(FEW);
    let text = |row: &Row, column: &str| row.get::<_, String>(column);
    let mut late = Vec::new();
    for (what, questions) in [
        ("rows", rows.iter().map(|row| of_a_pull(row.get("stream"), row.get("pull"))).collect()),
        ("absent streams of a pull", rows.iter().map(|row| of_a_pull(NEVER, row.get("pull"))).collect()),
        (
            "a stream of any pull, only in the oldest",
            vec![words(&format!("trace --stream {OLDEST} --json")); 5],
        ),
        ("a stream of any pull, in none", vec![words(&format!("trace --stream {NEVER} --json")); 5]),
        (
            "channels",
            few().map(|row| words(&format!("trace --channel {} --json", text(row, "channel")))).collect(),
        ),
        ("a channel of any pull, in none", vec![words(&format!("trace --channel {NEVER} --json")); 5]),
        (
            "chunks",
            few()
                .map(|row| {
                    words(&format!(
                        "trace --pull {} --chunk {} --json",
                        text(row, "pull"),
                        text(row, "chunk")
                    ))
                })
                .collect(),
        ),
    ] {
        let longest = answers(setting, &flow, what, questions).await?;
        if longest > AT_ONCE {
            late.push(what);
        }
    }
    flow.end().await?;
    if late.is_empty() { Ok(()) } else { Err(format!("slower than {AT_ONCE:?}: {}", late.join(", ")).into()) }
}

/// Asks the operator, one after the other; tells how long the answers took, and returns the longest.
async fn answers(
    setting: &Setting,
    flow: &Flow,
    what: &str,
    questions: Vec<Vec<String>>,
) -> Outcome<Duration> {
    let mut took = Vec::with_capacity(questions.len());
    for question in questions {
        let begun = Instant::now();
        let output = Command::new(setting.programs.join("operator"))
            .args(&question)
            .env_clear()
            .envs(variables(&flow.place, &flow.twitch))
            .output()
            .await?;
        took.push(begun.elapsed());
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("operator {} ended with {}: {why}", question.join(" "), output.status).into());
        }
    }
    took.sort_unstable();
    let longest = took.last().copied().unwrap_or_default();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    say(&format!(
        "   {} × {what}: {:.3} s in the middle, {:.3} s at most",
        took.len(),
        median.as_secs_f64(),
        longest.as_secs_f64()
    ))?;
    Ok(longest)
}
