//! `operator migrate`.

use clap::Args;
use shared::store::{self, Migrated};

use crate::{context::Context, error::Error, exit::Exit, json};

/// What a program reads.
const JSON: &str = r#"JSON: {"version": 3, "applied": ["pull", …]}"#;

/// Migrate the database to this build's schema; harmless to repeat
///
/// Runs the migrations that have not run yet, in order, and names them. Several at once wait for each other.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Migrate;

impl Migrate {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let migrated = store::migrate(&context.database.url()?).await?;
        context.output.result(migrated, json::Migration::from, text);
        Ok(Exit::Success)
    }
}

fn text(migrated: &Migrated) -> String {
    let Migrated { version, applied } = migrated;
    if applied.is_empty() {
        format!("The schema is up to date (version {version}).")
    } else {
        let names: Vec<_> = applied.iter().map(|name| format!("{name:?}")).collect();
        format!("The schema is now at version {version}: ran {}.", names.join(", "))
    }
}
