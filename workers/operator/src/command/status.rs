//! `operator status`: an unavailable service is a finding, not an error.

use chrono::TimeDelta;
use clap::Args;
use shared::{failure::Failure, store::Store, topology::REJECTED};

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    view::{self, Facts, Health, Vanished, by_stage, count_rows, ready},
};

/// How far back missed slots, alarms and vanished dead letters are reported.
const RECENT: TimeDelta = TimeDelta::days(1);
/// The most missed slots that are read.
const MOST_SLOTS: i64 = 1_000;

/// The most retried messages per stage that are read.
const MOST_RETRIES: i64 = 100;
/// The most alarms that are read.
const MOST_ALARMS: i64 = 100;

/// What a program reads.
const JSON: &str = r#"JSON: {"well", "verdict", "troubles": ["…"], "database_trouble", "broker_trouble",
"paused": [{"stage", "paused_by", "reason", "until", …}, …], "workers": [{"stage", "state", "code", "reason", "since", …}, …],
"retries": [{"stage", "pull_id", "attempts", "message", "first_failed_at", …}, …], "under_way": [{…}], "last_closed": {…},
"missed_slots": [{"slot", "reason"}, …], "alarms": [{"at", "queue", "kind", "detail"}, …], "vanished": [{"stage", "letters"}, …],
"stages": [{"stage", "workers", "ready", "replay", "retrying", "dead"}, …], "rejected"}"#;

/// Show overall health: exits 0 if all is well, 1 if not
///
/// The first line is the verdict. Not well means: PostgreSQL or RabbitMQ unavailable, a schema of another build, a stage without
/// a worker or with a paused one, messages retried for more than ten minutes, dead letters, dead letters that vanished within a
/// day, a stalled pull, or a last pull that failed or that Twitch's cursors led in a circle. Missed slots are reported but do
/// not affect the exit code.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Status;

impl Status {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        // Unusable settings are errors all the same: they say nothing about the flow.
        let store = context.store()?;
        context.broker.url()?;
        let mut facts = Facts::default();
        let (rows, queues) = tokio::join!(read_database(&store, context, &mut facts), context.depths());
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
        let now = context.clock.now();
        let health = Health::from_facts(facts, now);
        let exit = if health.well { Exit::Success } else { Exit::Failed };
        context.output.result(health, json::Status::from, |health| view::status(health, now));
        Ok(exit)
    }
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
    facts.paused = store.stage_pauses(now).await?;
    facts.retries = store.retries(MOST_RETRIES).await?;
    facts.alarms = store.alarms(since, MOST_ALARMS).await?;
    let vanished = store.vanished_dead_letters(since).await?;
    facts.vanished = vanished.into_iter().map(|(stage, letters)| Vanished { stage, letters }).collect();
    Ok(store.dead_letters_by_queue().await?)
}
