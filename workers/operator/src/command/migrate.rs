//! `operator migrate`.

use clap::Args;
use serde::Serialize;
use shared::store;

use crate::{context::Context, error::Error, exit::Exit};

/// What a program reads.
const JSON: &str = r#"JSON: {"version": 3, "applied": ["pull", …]}"#;

/// Bring the database to the schema of this build; harmless to repeat
///
/// Runs the migrations that have not run yet, in order, and says which. Several at once wait for each other.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Migrate;

#[derive(Serialize)]
struct Document {
    version: i64,
    applied: Vec<&'static str>,
}

impl Migrate {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let migrated = store::migrate(&context.database.url()?).await?;
        let document = Document { version: migrated.version, applied: migrated.applied };
        context.output.result(&document, text);
        Ok(Exit::Success)
    }
}

fn text(document: &Document) -> String {
    let Document { version, applied } = document;
    if applied.is_empty() {
        format!("The schema is up to date (version {version}).")
    } else {
        let names: Vec<_> = applied.iter().map(|name| format!("{name:?}")).collect();
        format!("The schema is now at version {version}: ran {}.", names.join(", "))
    }
}
