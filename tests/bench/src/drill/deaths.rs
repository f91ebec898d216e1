//! The broker, killed while a thousand messages fail: a thousand dead letters, in the queue and in the dead-letter store.

use std::time::{Duration, Instant};

use shared::{
    clock::Clock,
    schema::{ChunkRef, ChunkStored, PullId},
    store::DeadLetterFilter,
    topology::GAME_ENRICHER,
};
use tokio::time::sleep;

use crate::{
    flow::{Flow, Shape},
    outcome::{Outcome, say},
    services::Server,
    setting::Setting,
};

const LETTERS: u32 = 1_000;
/// How long it may take until all have died.
const PATIENCE: Duration = Duration::from_mins(3);
const LOOK: Duration = Duration::from_millis(2);

pub(crate) async fn run(setting: &Setting) -> Outcome<()> {
    let services = setting.services();
    let mut flow = Flow::new(setting, 100, Shape::default()).await?;
    // Chunks that are nowhere: no try will ever find them.
    let pulled_at = Clock::System.now();
    let chunk = |chunk| ChunkStored(ChunkRef { pull_id: PullId(1), pulled_at, chunk });
    let work = (1..=i32::try_from(LETTERS)?).map(|number| GAME_ENRICHER.request(&chunk(number)));
    // RabbitMQ 3.10 may forget in a crash that it made a quorum queue seconds ago, and then finds no leader for it. Here the
    // queues are as old as they are wherever a flow has been running for a while.
    services.restart().await?;
    flow.reconnect().await?;
    flow.announcer.announce(work.collect()).await?;
    flow.start(&["game-enricher", "extractor"]).await?;
    let before = until(&flow, |dead, _| dead >= LETTERS / 10).await?;
    let killed = Instant::now();
    services.kill(Server::RabbitMq).await?;
    services.start().await?;
    flow.reconnect().await?;
    let up = killed.elapsed();
    let after = until(&flow, |dead, written| dead >= LETTERS && written >= i64::from(LETTERS)).await?;
    // One that was published and not yet acknowledged died twice; the extractor takes the copy away.
    let settled = until(&flow, |dead, written| (dead, written) == (LETTERS, i64::from(LETTERS))).await?;
    say(&format!(
        "   RabbitMQ killed with {} of {LETTERS} dead, up again after {:.1} s; {} dead letters and {} written down, then {} and {}, \
         after {:.1} s",
        before.0,
        up.as_secs_f64(),
        after.0,
        after.1,
        settled.0,
        settled.1,
        killed.elapsed().as_secs_f64(),
    ))?;
    flow.end().await
}

/// Dead letters in the queue and in the dead-letter store, as soon as they are as wanted.
async fn until(flow: &Flow, wanted: impl Fn(u32, i64) -> bool) -> Outcome<(u32, i64)> {
    let begun = Instant::now();
    loop {
        let depths = flow.announcer.depths().await?;
        let queue = GAME_ENRICHER.info().dead();
        let dead = depths.iter().find(|depth| depth.name == queue).and_then(|depth| depth.ready).unwrap_or(0);
        let written = flow.store.count_dead_letters(&DeadLetterFilter::default()).await?;
        if wanted(dead, written) {
            return Ok((dead, written));
        }
        if begun.elapsed() > PATIENCE {
            return Err(format!("{dead} dead letters, {written} of them written down").into());
        }
        sleep(LOOK).await;
    }
}
