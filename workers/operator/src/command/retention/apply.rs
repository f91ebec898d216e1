//! `operator retention apply`.

use clap::Args;
use shared::retention::{Removed, apply, survey};

use super::super::confirmation::Confirmation;
use crate::{context::Context, error::Error, exit::Exit, json, suggest, view};

/// What a program reads.
const JSON: &str = r#"JSON: one document per line: {"class", "dry_run", "rows", "days", "bytes", "kept"}"#;

/// Remove what is past its time now, instead of waiting for the daily run
///
/// Run it as the owner of the database, as `operator migrate`: nobody else may take days out of tables.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Apply {
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Remove also rows of pulls that the lake should have and has not
    #[arg(long)]
    even_if_not_in_lake: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Apply {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let beyond_lake = self.even_if_not_in_lake;
        let due: Vec<Removed> = survey(&store, context.clock.now(), beyond_lake)
            .await?
            .into_iter()
            .map(|class| class.due)
            .collect();
        if self.dry_run {
            self.print(context, due);
            return Ok(Exit::Success);
        }
        if !store.owns_tables().await? {
            let why = "this user does not own the tables: run `operator retention apply` with the owner's DATABASE_URL";
            return Err(Error::Failed(suggest::typed(why)));
        }
        self.confirmation.ask_or_preview(&format!("{} Continue?", view::removed(&due, true)))?;
        let removed = apply(&store, &context.clock, &self.confirmation.by, beyond_lake).await?;
        let Some(removed) = removed else {
            return Err(Error::Failed("somebody else is removing old data just now".to_owned()));
        };
        self.print(context, removed);
        Ok(Exit::Success)
    }

    fn print(&self, context: &Context, removed: Vec<Removed>) {
        let dry_run = self.dry_run;
        let document = |removed| json::RetentionRemoved::new(removed, dry_run);
        context.output.list(removed, document, |removed| view::removed(removed, dry_run));
    }
}
