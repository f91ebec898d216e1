//! Everything that `status`, `doctor` and `top` judge by, gathered at once. An unavailable service is a fact as well.

use chrono::TimeDelta;
use shared::{failure::Failure, runtime::QueueDepth, store::Store, topology::REJECTED};

use crate::{
    context::Context,
    error::Error,
    view::{Facts, Vanished, by_stage, count_rows, ready},
};

/// How far back missed slots, alarms and vanished dead letters are reported.
const RECENT: TimeDelta = TimeDelta::days(1);
/// The most missed slots that are read.
const MOST_SLOTS: i64 = 1_000;
/// The most retried messages per stage that are read.
const MOST_RETRIES: i64 = 100;
/// The most alarms that are read.
const MOST_ALARMS: i64 = 100;

/// The facts; `depths` are those of the broker's queues.
pub(super) async fn gather(
    context: &Context,
    store: &Store,
    depths: impl Future<Output = Result<Vec<QueueDepth>, Error>>,
) -> Facts {
    let mut facts = Facts::default();
    let (rows, queues) = tokio::join!(read_database(store, context, &mut facts), depths);
    let rows = rows.unwrap_or_else(|failure| {
        facts.database_trouble = Some(Error::from(failure).to_string());
        Vec::new()
    });
    match queues {
        Ok(depths) => {
            facts.stages = by_stage(&depths);
            count_rows(&mut facts.stages, &rows);
            facts.rejected = ready(REJECTED, &depths);
        }
        Err(error) => facts.broker_trouble = Some(error.to_string()),
    }
    facts
}

/// Reads what the database knows. Returns how many dead letters it has of each queue.
async fn read_database(
    store: &Store,
    context: &Context,
    facts: &mut Facts,
) -> Result<Vec<(String, i64)>, Failure> {
    store.check().await?;
    facts.under_way = store.pulls_under_way().await?;
    facts.last_closed = store.last_closed_pull().await?;
    let now = context.clock.now();
    let since = now - RECENT;
    let missed = store.missed_slots(MOST_SLOTS).await?;
    facts.missed_slots = missed.into_iter().filter(|missed| missed.slot >= since).collect();
    facts.workers = store.worker_states(now).await?;
    facts.silent = store.silent_workers(now).await?;
    facts.paused = store.stage_pauses(now).await?;
    facts.retries = store.retries(MOST_RETRIES).await?;
    facts.alarms = store.alarms(since, MOST_ALARMS).await?;
    let vanished = store.vanished_dead_letters(since).await?;
    facts.vanished = vanished.into_iter().map(|(stage, letters)| Vanished { stage, letters }).collect();
    Ok(store.dead_letters_by_queue().await?)
}
