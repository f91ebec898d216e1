//! `operator operations list`.

use clap::Args;

use crate::{context::Context, error::Error, exit::Exit, json, view};

/// How many are listed where nobody says.
const USUALLY: i64 = 20;

/// What a program reads.
const JSON: &str = r#"JSON: one document per line, the newest first: {"id", "kind", "state", "command", "requested_by",
"requested_from", "requested_at", "counted", "stop_by", "stop_at", "carried_by", "started_at", "ended_at", "outcome",
"replay_id"}"#;

/// List operations, the newest first
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct List {
    /// The newest N
    #[arg(long, value_name = "N", default_value_t = USUALLY, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

impl Default for List {
    fn default() -> Self {
        Self { limit: USUALLY }
    }
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let operations = context.ready_store().await?.operations(None, self.limit).await?;
        let now = context.clock.now();
        context
            .output
            .list(operations, json::Operation::from, |operations| view::operations(operations, now));
        Ok(Exit::Success)
    }
}
