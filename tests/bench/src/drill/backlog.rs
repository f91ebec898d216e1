//! A hundred thousand dead letters: what each program needs with them, how long a person waits, and whether merging slows.

use std::{
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use secrecy::ExposeSecret;
use serde_json::json;
use shared::{dead_letter::Archived, topology::GAME_ENRICHER};
use tokio::{process::Command, time::sleep};

use crate::{
    Outcome, Setting,
    flow::{Flow, Shape},
    measure::{mebibytes, workers},
    say,
};

/// Dead letters published in one go.
const AT_ONCE: u32 = 1_000;
/// Bytes of each body.
const BODY: usize = 300;
/// How long it may take until all are recorded.
const PATIENCE: Duration = Duration::from_mins(15);
const LOOK: Duration = Duration::from_millis(100);

pub(crate) async fn run(setting: &Setting, dead_letters: u32) -> Outcome<()> {
    let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
    flow.start_all(1).await?;
    // Games and channels are known after the first pull, so that the next two do the same work.
    pull(&flow).await?;
    let before = pull(&flow).await?;

    let began = Instant::now();
    leave(&flow, dead_letters).await?;
    let left = began.elapsed();
    recorded(&flow, dead_letters).await?;
    let found = began.elapsed();
    let after = pull(&flow).await?;
    say(&format!(
        "   {dead_letters} dead letters that no worker recorded: published in {:.1} s, all recorded after {:.1} s; a pull of {} \
         streams took {:.2} s before, and {:.2} s with them",
        left.as_secs_f64(),
        found.as_secs_f64(),
        setting.streams,
        before.as_secs_f64(),
        after.as_secs_f64(),
    ))?;
    for (program, taken) in workers(&flow)? {
        say(&format!("   {program}: peak memory {:.1} MiB", mebibytes(taken.peak_rss)))?;
    }
    for words in [
        "status",
        "dead-letters list",
        "dead-letters groups",
        "dead-letters replay --all --dry-run",
        "dead-letters replay --all --limit 1 --yes",
    ] {
        let began = Instant::now();
        let output = operator(setting, &flow, words).await?;
        let code = output.status.code().unwrap_or(-1);
        say(&format!("   operator {words}: {:.2} s, exit code {code}", began.elapsed().as_secs_f64()))?;
    }
    // The one that was replayed failed again, and is there once more.
    recorded(&flow, dead_letters).await?;
    flow.end().await
}

/// How long a pull takes.
async fn pull(flow: &Flow) -> Outcome<Duration> {
    let began = Instant::now();
    let pull = flow.request().await?;
    flow.succeeded(pull).await?;
    Ok(began.elapsed())
}

/// Puts dead letters into the queue of the game-enricher, past the table.
async fn leave(flow: &Flow, dead_letters: u32) -> Outcome<()> {
    let queue = GAME_ENRICHER.info().dead();
    for first in (0..dead_letters).step_by(usize::try_from(AT_ONCE)?) {
        let batch = (first..dead_letters.min(first + AT_ONCE)).map(|number| Archived {
            id: number.into(),
            letter: format!("backlog-{number}"),
            queue: queue.clone(),
            properties: json!({"message_id": format!("backlog-{number}"), "type": "chunk-stored"}),
            body: vec![b'x'; BODY],
        });
        flow.announcer.lay_down(&batch.collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Waits until so many dead letters are in the table, and in the queue.
async fn recorded(flow: &Flow, dead_letters: u32) -> Outcome<()> {
    let queue = GAME_ENRICHER.info().dead();
    let began = Instant::now();
    loop {
        let rows = flow.store.queued_dead_letters().await?.get(&queue).copied().unwrap_or_default();
        let depths = flow.announcer.depths().await?;
        let ready = depths.iter().find(|depth| depth.name == queue).and_then(|depth| depth.ready);
        if (rows, ready) == (i64::from(dead_letters), Some(dead_letters)) {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("{rows} rows and {ready:?} messages of {dead_letters} dead letters").into());
        }
        sleep(LOOK).await;
    }
}

/// What the operator answers.
async fn operator(setting: &Setting, flow: &Flow, words: &str) -> Outcome<Output> {
    Ok(Command::new(setting.programs.join("operator"))
        .args(words.split_whitespace())
        .env("DATABASE_URL", flow.place.database_url().expose_secret())
        .env("AMQP_URL", flow.place.amqp_url().expose_secret())
        .stdin(Stdio::null())
        .output()
        .await?)
}
