//! `operator history`.

use clap::Args;
use shared::view::Moment;

use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
const JSON: &str = r#"JSON: one document per line: {"at", "kind", "trouble", "stage", "pull_id", "detail"}, the latest last.
Times are UTC, RFC 3339"#;

/// Show what happened, in one line of time
///
/// Pulls and their ends, missed slots, starts, stops, upgrades and pauses of workers, alarms, dead letters (one line per
/// minute, stage and code), replays, reruns, and what people ordered.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct History {
    /// Since this time: 2026-01-31T12:00:00Z, or 12h for so long ago
    #[arg(long, value_name = "TIME", default_value = "12h")]
    since: Moment,
    /// The newest N
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    limit: i64,
}

impl History {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let now = context.clock.now();
        let entries = store.history(self.since.time(now), self.limit).await?;
        context.output.list(entries, json::HistoryEntry::from, |entries| view::history(entries, now));
        Ok(Exit::Success)
    }
}
