//! A server that is in trouble for long while pulls are due: nothing is lost, nothing becomes a dead letter, memory stays
//! flat, and all is caught up with.

use std::time::{Duration, Instant};

use shared::schema::PullId;
use tokio::time::{sleep, timeout};

use crate::{
    flow::{Flow, Shape},
    outcome::{Outcome, say},
    process::Process,
    setting::Setting,
};

/// How often pulls are due.
const INTERVAL: &str = "30s";
/// How often the flow is looked at, and how long an answer may take.
const LOOK: Duration = Duration::from_secs(5);
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

/// How much more memory a worker may have at most meanwhile, in percent: less than that is chance.
const MOST_GROWTH: u64 = 20;

/// What was seen of the flow while the server was in trouble.
struct Watched {
    /// What is resident of each worker in the middle of a pull, and at most meanwhile, in KiB.
    before: Vec<u64>,
    most: Vec<u64>,
    /// The most messages that waited in all queues together, where the broker could be asked.
    queued: u32,
}

impl Watched {
    fn new(flow: &Flow) -> Outcome<Self> {
        let before = memory(flow)?;
        Ok(Self { most: before.clone(), before, queued: 0 })
    }

    async fn look(&mut self, flow: &Flow) -> Outcome<()> {
        for (most, now) in self.most.iter_mut().zip(memory(flow)?) {
            *most = (*most).max(now);
        }
        // A broker that blocks publishers reads nothing from whoever has published.
        if let Ok(queued) = timeout(LOOK, flow.left_over()).await {
            self.queued = self.queued.max(queued?);
        }
        Ok(())
    }

    fn has_grown(&self) -> bool {
        self.before.iter().zip(&self.most).any(|(before, most)| most * 100 > before * (100 + MOST_GROWTH))
    }
}

pub(crate) async fn run(setting: &Setting, only: Option<Trouble>, minutes: u64) -> Outcome<()> {
    let all = [Trouble::Alarm, Trouble::Database];
    for trouble in only.as_ref().map_or(&all[..], std::slice::from_ref).iter().copied() {
        let variables = vec![("PULL_INTERVAL", INTERVAL.to_owned())];
        let shape = Shape { variables, ..Shape::default() };
        let mut flow = Flow::new(setting, setting.streams, shape).await?;
        flow.start_all(1).await?;
        succeeded(&flow, 2).await?;
        let pull = in_the_middle(&flow).await?;
        let mut watched = Watched::new(&flow)?;
        begin(&flow, trouble).await?;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60 * minutes) {
            sleep(LOOK).await;
            watched.look(&flow).await?;
        }
        end(&flow, trouble).await?;
        let ended = Instant::now();
        flow.reconnect().await?;
        let pulls = closed(&flow).await?;
        succeeded(&flow, pulls + 2).await?;
        let caught_up = ended.elapsed();
        let rows = flow.compare(pull).await;
        say(&format!("   pull {pull}, which was under way: all its {rows} rows are there, once"))?;
        report(&flow, trouble, minutes, caught_up, &watched).await?;
        flow.end().await?;
    }
    Ok(())
}

/// A pull of which some chunks are merged and some are not.
async fn in_the_middle(flow: &Flow) -> Outcome<PullId> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let pulls = flow.store.pulls_under_way().await?;
        if let Some(pull) = pulls.iter().find(|pull| pull.merged_chunks > 0) {
            return Ok(pull.pull_id);
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err(format!("no pull was under way within {PATIENCE:?}").into())
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
    watched: &Watched,
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
         {failed} failed, {missed} slots missed and recorded, {dead} dead letters; at most {} messages waited meanwhile",
        caught_up.as_secs_f64(),
        watched.queued
    ))?;
    let after = memory(flow)?;
    for (n, worker) in flow.workers.iter().enumerate() {
        say(&format!(
            "   {}: {} KiB before, {} KiB at most meanwhile, {} KiB afterwards; {} lines of log in all",
            worker.name(),
            watched.before[n],
            watched.most[n],
            after[n],
            worker.log_lines()?
        ))?;
    }
    if failed + dead > 0 {
        return Err("pulls failed, or there are dead letters".into());
    }
    if watched.has_grown() {
        return Err(format!("a worker's memory grew by more than {MOST_GROWTH} %").into());
    }
    Ok(())
}
