//! SIGKILL for workers in the middle of a pull.

use std::time::{Duration, Instant};

use shared::{schema::PullId, store::PullReport};
use tokio::time::sleep;

use super::{settled, undisturbed};
use crate::{
    digest::same,
    flow::{Flow, Shape},
    outcome::{Outcome, say},
    process::WORKERS,
    setting::Setting,
};

/// How long a stage may take to move again.
const PATIENCE: Duration = Duration::from_mins(2);
/// Streams of a pull when there are many of them.
const SMALL: usize = 2_000;

/// Workers that are ended at random.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kills {
    /// How many.
    pub(crate) number: u32,
    /// The pulls they are spread over.
    pub(crate) pulls: u32,
    /// What the choice of victims follows from.
    pub(crate) seed: u64,
    /// SIGTERM, and they must end well; else SIGKILL.
    pub(crate) gently: bool,
}

/// Chunks a stage is done with.
fn done(worker: &str, report: &PullReport) -> i64 {
    match worker {
        "extractor" => i64::from(report.chunks),
        "game-enricher" => report.games_chunks,
        "channel-enricher" => report.channels_chunks,
        _ => report.merged_chunks,
    }
}

/// Ends the worker at this place and starts another; says when it was ended.
async fn replace(flow: &mut Flow, at: usize, gently: bool) -> Outcome<Instant> {
    let victim = flow.workers.remove(at);
    let killed = Instant::now();
    let replacement = if gently { victim.restart().await? } else { victim.replace().await? };
    let replacement = replacement.ready().await?;
    flow.workers.insert(at, replacement);
    Ok(killed)
}

/// Each worker once, when its stage has a third of the chunks behind it.
pub(crate) async fn each(setting: &Setting) -> Outcome<()> {
    let wanted = undisturbed(setting).await?;
    let third = i64::try_from(setting.streams / 300)?;
    for (at, worker) in WORKERS.into_iter().enumerate() {
        let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
        flow.start_all(1).await?;
        let begun = Instant::now();
        let pull = flow.request().await?;
        flow.until(pull, PATIENCE, |report| done(worker, report) >= third).await?;
        let killed = replace(&mut flow, at, false).await?;
        let ready = killed.elapsed();
        let before = done(worker, &flow.store.pull_report(pull).await?);
        let still = |report: &PullReport| report.status != "success" && done(worker, report) == before;
        flow.until(pull, PATIENCE, |report| !still(report)).await?;
        let moved = killed.elapsed();
        flow.succeeded(pull).await?;
        let wall = begun.elapsed();
        same(&wanted, &settled(&flow, pull).await?)?;
        say(&format!(
            "   {worker:<17} killed with {before} chunks behind it: ready again after {:.2} s, its stage moved after \
             {:.2} s, the pull took {:.2} s; the same tables",
            ready.as_secs_f64(),
            moved.as_secs_f64(),
            wall.as_secs_f64(),
        ))?;
        flow.end().await?;
    }
    Ok(())
}

/// Many of them at random, over many pulls: nothing lost, nothing double, no dead letter, every pull comes to its end.
pub(crate) async fn many(setting: &Setting, troubles: &Kills) -> Outcome<()> {
    let Kills { number, pulls, seed, gently } = *troubles;
    let mut flow = Flow::new(setting, SMALL, Shape::default()).await?;
    flow.start_all(1).await?;
    let mut dice = seed;
    let (mut killed, mut longest, mut all) = (0, Duration::ZERO, Vec::<PullId>::new());
    for round in 1..=pulls {
        let begun = Instant::now();
        let pull = flow.request().await?;
        // Spread evenly: by the end of this pull there are to be this many.
        while killed < number * round / pulls {
            sleep(Duration::from_millis(roll(&mut dice) % 700)).await;
            let victim = usize::try_from(roll(&mut dice) % 4)?;
            replace(&mut flow, victim, gently).await?;
            killed += 1;
        }
        flow.succeeded(pull).await?;
        longest = longest.max(begun.elapsed());
        all.push(pull);
    }
    flow.drained().await?;
    for pull in &all {
        flow.compare(*pull).await;
    }
    let rescued: i64 = flow.db.query_one("select sum(rescues) from pull", &[]).await?.get(0);
    say(&format!(
        "   {killed} {} in {} pulls of {SMALL} streams: every pull succeeded and every row is right; the longest took \
         {:.1} s; the watch had to help {rescued} times",
        if gently { "restarts" } else { "kills" },
        all.len(),
        longest.as_secs_f64()
    ))?;
    flow.end().await
}

/// The next number of a simple generator (Knuth's MMIX), its better half.
fn roll(dice: &mut u64) -> u64 {
    *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *dice >> 33
}
