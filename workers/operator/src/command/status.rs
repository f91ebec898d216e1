//! `operator status`: a service that is away is a finding, not an error.

use chrono::TimeDelta;
use clap::Args;
use shared::{failure::Failure, store::Store, topology::REJECTED};

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    text::{self, Facts, Health, by_stage, ready},
};

/// How long a missed slot is worth a word.
const LATELY: TimeDelta = TimeDelta::days(1);
/// The most missed slots that are read.
const MOST_SLOTS: i64 = 1_000;

/// The most alarms that are read.
const MOST_ALARMS: i64 = 100;

/// What a program reads.
const JSON: &str = r#"JSON: {"well", "verdict", "troubles": ["…"], "database_trouble", "broker_trouble",
"under_way": [{…}], "last_closed": {…}, "missed_slots": [{"slot", "reason"}, …], "alarms": [{"at", "queue", "kind", "detail"}, …],
"stages": [{"stage", "workers", "ready", "replay", "retrying", "dead"}, …], "rejected"}"#;

/// Tell at a glance how everything stands: exits 0 if all is well, 1 if not
///
/// The first line says it in words. Not well is: PostgreSQL or RabbitMQ away, another schema, a stage without a worker,
/// dead letters, a pull that stood still, and when the last pull that ended has failed or Twitch's cursors led it in a circle. Missed slots are told, and are
/// not held against it.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Status;

impl Status {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        // Settings that cannot be used are errors all the same: they say nothing about the flow.
        let store = context.store()?;
        context.broker.url()?;
        let mut facts = Facts::default();
        let (pulls, queues) = tokio::join!(pulls(&store, context, &mut facts), context.depths());
        facts.database_trouble = pulls.err().map(|failure| Error::from(failure).to_string());
        match queues {
            Ok(depths) => {
                facts.stages = by_stage(&depths);
                facts.rejected = ready(REJECTED, &depths);
            }
            Err(error) => facts.broker_trouble = Some(error.to_string()),
        }
        let now = context.clock.now();
        let health = Health::of(facts, now);
        context.output.result(&health, |health| text::status(health, now));
        Ok(if health.well { Exit::Success } else { Exit::Failed })
    }
}

async fn pulls(store: &Store, context: &Context, facts: &mut Facts) -> Result<(), Failure> {
    store.check().await?;
    facts.under_way = store.pulls_under_way().await?;
    facts.last_closed = store.last_closed_pull().await?;
    let since = context.clock.now() - LATELY;
    let missed = store.missed_slots(MOST_SLOTS).await?;
    facts.missed_slots = missed.into_iter().filter(|missed| missed.slot >= since).collect();
    facts.alarms = store.alarms(since, MOST_ALARMS).await?;
    Ok(())
}
