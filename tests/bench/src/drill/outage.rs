//! A server that is in trouble for long while pulls are due: nothing is lost, nothing becomes a dead letter, memory stays
//! flat, and all is caught up with.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::{
    flow::{Flow, Shape},
    outcome::{Outcome, say},
    process::Process,
    setting::Setting,
};

/// How often pulls are due.
const INTERVAL: &str = "30s";
/// How long all may take to be caught up with.
const PATIENCE: Duration = Duration::from_mins(5);

/// What goes wrong.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Trouble {
    /// The broker is short of memory and blocks publishers.
    Alarm,
    /// PostgreSQL takes no connections and has none.
    Database,
}

pub(crate) async fn run(setting: &Setting, only: Option<Trouble>, minutes: u64) -> Outcome<()> {
    let all = [Trouble::Alarm, Trouble::Database];
    for trouble in only.as_ref().map_or(&all[..], std::slice::from_ref).iter().copied() {
        let variables = vec![("PULL_INTERVAL", INTERVAL.to_owned())];
        let shape = Shape { variables, ..Shape::default() };
        let mut flow = Flow::new(setting, setting.streams, shape).await?;
        flow.start_all(1).await?;
        succeeded(&flow, 2).await?;
        let before = memory(&flow)?;
        begin(&flow, trouble).await?;
        let began = Instant::now();
        let mut most = before.clone();
        while began.elapsed() < Duration::from_secs(60 * minutes) {
            sleep(Duration::from_secs(5)).await;
            for (most, now) in most.iter_mut().zip(memory(&flow)?) {
                *most = (*most).max(now);
            }
        }
        end(&flow, trouble).await?;
        let ended = Instant::now();
        flow.reconnect().await?;
        let pulls = closed(&flow).await?;
        succeeded(&flow, pulls + 2).await?;
        let caught_up = ended.elapsed();
        report(&flow, trouble, minutes, caught_up, &before, &most).await?;
        flow.end().await?;
    }
    Ok(())
}

async fn begin(flow: &Flow, trouble: Trouble) -> Outcome<()> {
    match trouble {
        Trouble::Alarm => flow.place.services().memory_watermark("0.00001").await,
        Trouble::Database => flow.place.allow_connections(false).await,
    }
}

async fn end(flow: &Flow, trouble: Trouble) -> Outcome<()> {
    match trouble {
        Trouble::Alarm => flow.place.services().memory_watermark("0.4").await,
        Trouble::Database => flow.place.allow_connections(true).await,
    }
}

/// Peak of resident memory would tell of the pull before: this is what is resident now, in KiB.
fn memory(flow: &Flow) -> Outcome<Vec<u64>> {
    flow.workers.iter().map(Process::resident).collect()
}

async fn closed(flow: &Flow) -> Outcome<i64> {
    let sql = "select count(*) as pulls from pull where status = 'success'";
    Ok(flow.db.query_one(sql, &[]).await?.try_get("pulls")?)
}

/// Waits until so many pulls have succeeded.
async fn succeeded(flow: &Flow, pulls: i64) -> Outcome<()> {
    let begun = Instant::now();
    while closed(flow).await? < pulls {
        if begun.elapsed() > PATIENCE {
            return Err(format!("fewer than {pulls} pulls have succeeded within {PATIENCE:?}").into());
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

async fn report(
    flow: &Flow,
    trouble: Trouble,
    minutes: u64,
    caught_up: Duration,
    before: &[u64],
    most: &[u64],
) -> Outcome<()> {
    let sql = "select count(*) filter (where status = 'success') as succeeded,
                      count(*) filter (where status = 'failed') as failed,
                      (select count(*) from missed_slot) as missed,
                      (select count(*) from dead_letter) as dead from pull";
    let row = flow.db.query_one(sql, &[]).await?;
    let (succeeded, failed): (i64, i64) = (row.try_get("succeeded")?, row.try_get("failed")?);
    let (missed, dead): (i64, i64) = (row.try_get("missed")?, row.try_get("dead")?);
    say(&format!(
        "   {trouble:?} for {minutes} min, a pull due every {INTERVAL}: caught up with after {:.1} s; {succeeded} pulls succeeded, \
         {failed} failed, {missed} slots missed and recorded, {dead} dead letters",
        caught_up.as_secs_f64()
    ))?;
    for ((worker, before), most) in flow.workers.iter().zip(before).zip(most) {
        say(&format!(
            "   {}: {before} KiB before, {most} KiB at most meanwhile; {} lines of log in all",
            worker.name(),
            worker.log_lines()?
        ))?;
    }
    if failed + dead > 0 {
        return Err("pulls failed, or there are dead letters".into());
    }
    Ok(())
}
