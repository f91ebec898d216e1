//! `operator status`: an unavailable service is a finding, not an error.

use clap::Args;

use super::facts;
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    view::{self, Health},
};

/// What a program reads.
const JSON: &str = r#"JSON: {"well", "verdict", "troubles": ["…"], "database_trouble", "broker_trouble",
"paused": [{"stage", "paused_by", "reason", "until", …}, …], "workers": [{"stage", "state", "code", "reason", "since", …}, …],
"retries": [{"stage", "pull_id", "attempts", "message", "first_failed_at", …}, …], "under_way": [{…}], "last_closed": {…},
"missed_slots": [{"slot", "reason"}, …], "alarms": [{"at", "queue", "kind", "detail"}, …], "vanished": [{"stage", "letters"}, …],
"stages": [{"stage", "workers", "ready", "replay", "retrying", "dead"}, …], "rejected"}"#;

/// Show overall health: exits 0 if all is well, 1 if not
///
/// The first line is the verdict. Not well means: PostgreSQL or RabbitMQ unavailable, a schema of another build, a stage without
/// a worker or with one that is paused for trouble, a worker that has been silent for half a minute, messages retried for more than ten minutes,
/// dead letters, dead letters that vanished within a day, an erasure of a channel that has not ended, a stalled pull, or a last pull that failed or that Twitch's cursors
/// led in a circle. Missed slots, and stages that a person has paused, are reported but do not affect the exit code.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Status;

impl Status {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        // Unusable settings are errors all the same: they say nothing about the flow.
        let store = context.store()?;
        context.broker.url()?;
        let facts = facts::gather(context, &store, context.depths()).await;
        let now = context.clock.now();
        let health = Health::from_facts(facts, now);
        let exit = if health.well { Exit::Success } else { Exit::Failed };
        context.output.result(health, json::Status::from, |health| view::status(health, now));
        Ok(exit)
    }
}
