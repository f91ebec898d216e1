//! Days and rows leave while pulls are written: what those who write notice of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_postgres::Client;

use super::{
    lake::operator,
    table::{History, history},
};
use crate::{
    flow::{Flow, Shape},
    measure,
    outcome::{Outcome, say},
    services::must_exist,
    setting::Setting,
};

/// How long the writer is watched without retention.
const WATCHED: Duration = Duration::from_secs(20);

/// Removes all but the last ten of `days` days of pulls, while a writer goes on.
pub(crate) async fn run(setting: &Setting, streams: usize, days: u32) -> Outcome<()> {
    must_exist(&setting.programs.join("operator"), "cargo build --release")?;
    let mut flow = Flow::new(setting, streams, Shape::default()).await?;
    flow.start_all(1).await?;
    let like = measure::pull(&flow).await?.pull;
    flow.drained().await?;
    let past = History { pulls: 4 * days, rows: u32::try_from(streams)?, days, half_today: false };
    history(&flow.db, like, past).await?;
    let slots = "insert into missed_slot select now() - n * interval '1 minute', 'bench', now() from generate_series(1, 600000) n";
    flow.db.batch_execute(slots).await?;
    for (class, ttl) in [("rows", "10d"), ("pages", "10d"), ("slots", "1d")] {
        operator(setting, &flow, &["retention", "set", class, ttl, "--yes"]).await?;
    }
    for (digit, round) in [(7, "without retention"), (8, "without retention, once more")] {
        let stop = Arc::new(AtomicBool::new(false));
        let writer = tokio::spawn(write(flow.place.client().await?, like.0, digit, Arc::clone(&stop)));
        tokio::time::sleep(WATCHED).await;
        stop.store(true, Ordering::Relaxed);
        tell(round, writer.await??)?;
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write(flow.place.client().await?, like.0, 9, Arc::clone(&stop)));
    let begun = Instant::now();
    let removed = operator(setting, &flow, &["retention", "apply", "--yes"]).await?;
    let took = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    tell("while it removes", writer.await??)?;
    say(&format!("   removed in {:.1} s: {removed}", took.as_secs_f64()))?;
    flow.end().await
}

/// Writes a stream of today and a chunk's state, as workers do, again and again; how long each transaction took. Its streams' ids
/// begin with a digit of its own.
async fn write(
    mut db: Client,
    like: i64,
    digit: u8,
    stop: Arc<AtomicBool>,
) -> Result<Vec<Duration>, tokio_postgres::Error> {
    let row = "insert into pull_data
        select pull_id, pulled_at, $2::text, chunk, channel_id, channel_login, channel_name, game_id, game_name, viewer_count,
               language, started_at, type, title, tags, is_mature, data
        from pull_data where pull_id = $1 and pulled_at = (select started_at from pull where id = $1) limit 1";
    let chunk = "update pull_chunk set failure = $2::text where pull_id = $1 and chunk = 1
        and pulled_at = (select started_at from pull where id = $1)";
    let (row, chunk) = (db.prepare(row).await?, db.prepare(chunk).await?);
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let id = took.len().to_string();
        let begun = Instant::now();
        let transaction = db.transaction().await?;
        transaction.execute(&row, &[&like, &format!("{digit}{id:0>12}")]).await?;
        transaction.execute(&chunk, &[&like, &id]).await?;
        transaction.commit().await?;
        took.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(took)
}

fn tell(when: &str, mut took: Vec<Duration>) -> Outcome<()> {
    took.sort_unstable();
    let at =
        |share: usize| took.get(took.len() * share / 1000).copied().unwrap_or_default().as_secs_f64() * 1e3;
    say(&format!(
        "   {when}: {} transactions, median {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        took.len(),
        at(500),
        at(990),
        took.last().copied().unwrap_or_default().as_secs_f64() * 1e3
    ))
}
