//! `operator retention show`.

use clap::Args;
use shared::retention::survey;

use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
const JSON: &str = r#"JSON: one document per line:
{"class", "about", "ttl_hours" (null: never removed), "is_default", "rows", "bytes", "oldest", "due": {"rows", "days", "bytes", "kept"}}"#;

/// Show how long each class of data is kept, what is stored, and what would go now
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Show;

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let now = context.clock.now();
        let classes = survey(&store, now, false).await?;
        let last = store.last_retention_run().await?;
        let text = |classes: &[_]| view::retention(classes, last.as_ref(), now);
        context.output.list(classes, json::RetentionClass::from, text);
        Ok(Exit::Success)
    }
}
