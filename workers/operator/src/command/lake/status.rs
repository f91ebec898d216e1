//! `operator lake status`.

use clap::Args;

use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
pub(super) const JSON: &str = r#"JSON: {"root", "copied", "snapshot", "snapshot_at", "oldest_snapshot", "oldest_snapshot_at", "pulls", "missing", "missing_since",
"left_out", "to_be_removed", "waiting_days": [{"day", "pulls": [n, …]}, …], "tables": [{"name", "rows", "files", "hot_files", "bytes"}, …]}"#;

/// Show what the data lake holds, and which completed pulls it does not have yet
///
/// Read from the catalogue: works without an exporter, and without access to the storage.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Status {}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let now = context.clock.now();
        let status = context.ready_store().await?.lake_status(now.date_naive()).await?;
        context.output.result(status, json::LakeStatus::from, |status| view::lake(status, now));
        Ok(Exit::Success)
    }
}
