//! `operator peek`: from the database, since a queue cannot be looked into without spending deliveries.

use clap::{Args, builder::PossibleValuesParser};
use shared::{store::Queued, topology::STAGES};

use crate::{context::Context, error::Error, exit::Exit, json, view};

/// Most retried messages that are read.
const MOST_RETRIES: i64 = 10_000;

/// What a program reads.
const JSON: &str = r#"JSON, one document per line: {"message_id", "kind", "pull_id", "chunk", "since", "attempts", "retry_at",
"last_failure", "body": {…}}; attempts, retry_at and last_failure are null unless it is retried"#;

/// Show what waits for a stage, in order
///
/// Read from the database: no message is touched, none loses a delivery, the order stays as it is. What a worker has in hand
/// is among it.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Peek {
    /// The stage
    #[arg(value_name = "STAGE", value_parser = PossibleValuesParser::new(STAGES.map(|stage| stage.name)))]
    stage: String,
    /// Show at most N
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

impl Peek {
    pub(in crate::command) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let (store, stage, now) = (context.ready_store().await?, self.stage, context.clock.now());
        let queued = store.queued(&stage, self.limit).await?;
        let retries = store.retries(MOST_RETRIES).await?;
        let queued: Vec<view::Waiting> =
            queued.into_iter().map(|queued: Queued| view::Waiting::new(&stage, queued, &retries)).collect();
        context.output.list(queued, json::WaitingMessage::from, |queued| view::waiting(&stage, queued, now));
        Ok(Exit::Success)
    }
}
