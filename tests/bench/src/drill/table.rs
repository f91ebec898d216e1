//! What each statement costs, in an empty database and in one with a month of history; and how it is carried out.
//!
//! Blocks touched are compared rather than times: they do not depend on what else the machine does. The thousandth pull
//! must cost what the first did.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{Read, Seek, SeekFrom},
    time::Duration,
};

use shared::schema::PullId;
use tokio::time::sleep;
use tokio_postgres::Client;

use crate::{
    flow::{Flow, Shape},
    measure::{self, Measured},
    outcome::{Outcome, say},
    process::{Process, WORKERS},
    setting::Setting,
};

/// Statements that cost less than this share of all are not worth a line.
const WORTH_A_LINE: f64 = 0.005;
/// Tables that grow, with every pull or every channel: nobody reads them from end to end.
const LARGE: [&str; 5] = ["pull_data_", "pull_chunk_", "twitch_channel", "twitch_game", "helix_claim"];

/// What a statement cost during one pull.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    calls: i64,
    milliseconds: f64,
    blocks: f64,
    wal: f64,
}

type Costs = BTreeMap<String, Cost>;

/// The past that is put in place: finished pulls like one that was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    pub(crate) pulls: u32,
    /// Rows of each.
    pub(crate) rows: u32,
    /// Over so many days.
    pub(crate) days: u32,
    /// Whether half of them are of today instead.
    pub(crate) half_today: bool,
}

pub(crate) async fn run(setting: &Setting, pulls: u32, rows: u32) -> Outcome<()> {
    let past = History { pulls, rows, days: 30, half_today: true };
    let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
    flow.db.batch_execute("create extension if not exists pg_stat_statements").await?;
    flow.start_all(1).await?;
    let first = costs(&flow).await?;
    say("   the first pull, nothing known:")?;
    show(&first.1)?;
    let before = costs(&flow).await?;
    history(&flow.db, before.0.pull, past).await?;
    // Once with the plans that the programs made while everything was small, once with new ones.
    let kept = costs(&flow).await?;
    for worker in std::mem::take(&mut flow.workers) {
        worker.stop().await?;
    }
    explain(&flow, true).await?;
    let log = File::open(flow.place.services().postgres_log())?.metadata()?.len();
    flow.start(&WORKERS).await?;
    let explained = measure::pull(&flow).await?;
    flow.drained().await?;
    plans(&flow, log)?;
    for worker in std::mem::take(&mut flow.workers) {
        Process::stop(worker).await?;
    }
    explain(&flow, false).await?;
    flow.start(&WORKERS).await?;
    let fresh = costs(&flow).await?;
    flow.compare(explained.pull).await;
    compare(&before, &[("plans kept", &kept), ("plans made anew", &fresh)])?;
    flow.end().await
}

/// One pull, and what its statements cost.
pub(super) async fn costs(flow: &Flow) -> Outcome<(Measured, Costs)> {
    flow.db.execute("select pg_stat_statements_reset()", &[]).await?;
    let measured = measure::pull(flow).await?;
    flow.drained().await?;
    flow.compare(measured.pull).await;
    let sql = "select substring(query from '/\\* ([^*]+) \\*/') as statement, sum(calls)::bigint as calls,
                      sum(total_exec_time) as milliseconds,
                      sum(shared_blks_hit + shared_blks_read)::float8 as blocks, sum(wal_bytes)::float8 as wal
               from pg_stat_statements
               where dbid = (select oid from pg_database where datname = current_database()) and query like '%/* %::% */%'
                 and query not like '%/* report::%'
               group by 1";
    let costs = flow.db.query(sql, &[]).await?;
    let costs = costs.iter().map(|row| {
        let cost = Cost {
            calls: row.get("calls"),
            milliseconds: row.get("milliseconds"),
            blocks: row.get("blocks"),
            wal: row.get("wal"),
        };
        (row.get::<_, String>("statement"), cost)
    });
    Ok((measured, costs.collect()))
}

impl Cost {
    #[expect(clippy::cast_precision_loss, reason = "calls of one pull")]
    fn each(&self, of: f64) -> f64 {
        of / self.calls.max(1) as f64
    }
}

fn show(costs: &Costs) -> Outcome<()> {
    let all: f64 = costs.values().map(|cost| cost.milliseconds).sum();
    let mut costs: Vec<_> = costs.iter().filter(|(_, cost)| cost.milliseconds > WORTH_A_LINE * all).collect();
    costs.sort_by(|a, b| b.1.milliseconds.total_cmp(&a.1.milliseconds));
    for (name, cost) in costs {
        say(&format!(
            "   {name:<34} {:5} calls, {:6.2} ms, {:6.0} blocks, {:6.1} KiB of log each; {:4.1} % of the time",
            cost.calls,
            cost.each(cost.milliseconds),
            cost.each(cost.blocks),
            cost.each(cost.wal) / 1024.0,
            100.0 * cost.milliseconds / all,
        ))?;
    }
    Ok(())
}

/// Compares the same warm pull without and with history.
pub(super) fn compare(before: &(Measured, Costs), after: &[(&str, &(Measured, Costs))]) -> Outcome<()> {
    for (what, with) in after {
        say(&format!(
            "   with history, {what}: time {:.2}, processor {:.2}, blocks {:.2} of those without",
            with.0.wall.as_secs_f64() / before.0.wall.as_secs_f64(),
            with.0.total_cpu() / before.0.total_cpu(),
            blocks(&with.1) / blocks(&before.1),
        ))?;
        let dearer = with.1.iter().filter_map(|(name, cost)| {
            let now = cost.each(cost.blocks);
            let then = before.1.get(name).map(|cost| cost.each(cost.blocks))?;
            (now > 1.5 * then + 20.0).then(|| format!("{name} {then:.0} -> {now:.0}"))
        });
        let dearer: Vec<String> = dearer.collect();
        say(&format!("   statements that touch more blocks a call: {}", none_or(&dearer)))?;
    }
    Ok(())
}

fn blocks(costs: &Costs) -> f64 {
    costs.values().map(|cost| cost.blocks).sum()
}

fn none_or(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

/// Puts a past of pulls like this one in place.
pub(super) async fn history(db: &Client, like: PullId, past: History) -> Outcome<()> {
    let History { pulls, rows, days, half_today } = past;
    let places = "create temporary table history as
        with time as (
            select n, case when $4 and n % 2 = 0 then p.started_at - n * interval '1 second'
                           else p.started_at - n * (make_interval(days => $3) / $2::int) end as started_at
            from pull p, generate_series(1, $2::int) n where p.id = $1)
        select n, started_at, ensure_partitions(started_at)::text from time";
    // What a statement of several steps cannot see it would not find.
    let pull = "insert into pull (status, requested_by, started_at, extracted_at, completed_at, stop_reason, pages, fetched,
                                  stored, rejected, duplicates, chunks, games_added, games_missing, channels_filled,
                                  channels_missing)
        select p.status, 'history', h.started_at, h.started_at, h.started_at, p.stop_reason, pages, fetched, stored, rejected,
               duplicates, chunks, games_added, games_missing, channels_filled, channels_missing
        from history h, pull p where p.id = $1";
    let chunk = "insert into pull_chunk
        select (jsonb_populate_record(c, jsonb_build_object(
            'pull_id', p.id, 'pulled_at', p.started_at))).*
        from pull p, pull_chunk c where p.id > $3 and c.pull_id = $1 and c.chunk <= $2::int / 100";
    let provenance = "insert into provenance
        select p.id, p.started_at, v.chunk, p.started_at, v.stage, v.action, v.attempt, v.calls, v.detail, v.build
        from pull p, provenance v where p.id > $3 and v.pull_id = $1 and v.chunk <= $2::int / 100";
    let data = "insert into pull_data
        select p.id, p.started_at, d.stream_id, d.chunk, d.channel_id, d.channel_login, d.channel_name, d.game_id, d.game_name,
               d.viewer_count, d.language, d.started_at, d.type, d.title, d.tags, d.is_mature, d.data
        from pull p, (select * from pull_data where pull_id = $1 order by chunk limit $2::int) d
        where p.id > $3";
    let (pulls, rows, days) = (i32::try_from(pulls)?, i32::try_from(rows)?, i32::try_from(days)?);
    db.batch_execute("set synchronous_commit = off").await?;
    db.execute(places, &[&like.0, &pulls, &days, &half_today]).await?;
    let newest = db.query_one("select max(id) as newest from pull", &[]).await?;
    let newest: i64 = newest.try_get("newest")?;
    db.execute(pull, &[&like.0]).await?;
    db.execute(chunk, &[&like.0, &rows, &newest]).await?;
    db.execute(provenance, &[&like.0, &rows, &newest]).await?;
    let stored = db.execute(data, &[&like.0, &rows, &newest]).await?;
    db.batch_execute("set synchronous_commit = on; drop table history").await?;
    // As autovacuum and the checkpointer leave them, neither of which is at work when the next pull is measured.
    db.batch_execute("vacuum analyze pull_data, pull_chunk, provenance, pull").await?;
    db.batch_execute("checkpoint").await?;
    let workers = "select from pg_stat_activity where backend_type = 'autovacuum worker'";
    while !db.query(workers, &[]).await?.is_empty() {
        sleep(Duration::from_secs(1)).await;
    }
    say(&format!("   history: {pulls} finished pulls over {days} days, {stored} rows"))
}

/// Lets PostgreSQL write down how statements of new connections are carried out, or not.
async fn explain(flow: &Flow, on: bool) -> Outcome<()> {
    let name = flow.place.name();
    let least = if on { "0" } else { "-1" };
    let sql = format!(
        "alter database {name} set auto_explain.log_min_duration = {least};
         alter database {name} set auto_explain.log_analyze = on;
         alter database {name} set auto_explain.log_timing = off;
         alter database {name} set auto_explain.sample_rate = 0.2"
    );
    Ok(flow.db.batch_execute(&sql).await?)
}

/// Reads what PostgreSQL wrote since then: fails where a large table was read from end to end, or a pull's statement
/// looked into more than one day.
fn plans(flow: &Flow, since: u64) -> Outcome<()> {
    let mut log = File::open(flow.place.services().postgres_log())?;
    log.seek(SeekFrom::Start(since))?;
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut accesses: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut statement = "";
    for line in text.lines() {
        if let Some((_, rest)) = line.split_once("/* ") {
            statement = rest.split(" */").next().unwrap_or_default();
        }
        let executed = line.contains("loops=") && !line.contains("never executed");
        if let Some((scan, table)) =
            line.split_once(" on ").filter(|(scan, _)| executed && scan.contains("Scan"))
        {
            let table = table.split_whitespace().next().unwrap_or_default();
            let full = scan.contains("Seq Scan");
            if LARGE.iter().any(|large| table.starts_with(large)) && !statement.starts_with("report::") {
                let how = if full { "END TO END " } else { "" };
                accesses.entry(statement).or_default().insert(format!("{how}{table}"));
            }
        }
    }
    let mut bad = Vec::new();
    for (statement, tables) in &accesses {
        let days = |of: &str| tables.iter().filter(|table| table.starts_with(of)).count();
        if days("pull_data_") > 1
            || days("pull_chunk_") > 1
            || tables.iter().any(|table| table.starts_with("END"))
        {
            let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
            bad.push(format!("{statement}: {}", tables.join(" ")));
        }
    }
    say(&format!(
        "   {} statements looked at; large tables read from end to end, or more than one day: {}",
        accesses.len(),
        none_or(&bad)
    ))
}
