//! `operator rejected replay`.

use clap::Args;
use serde::Serialize;
use shared::{
    dead_letters::{self, Entered, Revalidation},
    schema::PullId,
};

use super::nothing;
use crate::{
    cli::PullRef, context::Context, dead_letters::Confirmation, error::Error, exit::Exit, suggest,
    view::format::count,
};

/// What a program reads.
const JSON: &str = r#"JSON: {"pull_id", "dry_run", "entered", "duplicates", "remaining", "chunks"}"#;

/// Validate the rejected records of a pull again, and let those that pass now enter it
///
/// Their chunks go through the stages once more, and a pull that had ended ends once more, with another event. A pull
/// waits for it like any other: `operator wait PULL` follows. The message in streams.rejected is taken out when none of
/// its records is rejected any more, and otherwise replaced by one that holds the rest.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Replay {
    /// The pull, by number or `latest`
    #[arg(long, value_name = "PULL")]
    pull: PullRef,
    /// Only records that this rule rejected
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// Streams with fewer viewers stay rejected
    #[arg(long, env, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(i32).range(0..))]
    min_viewers: i32,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    consent: Confirmation,
}

#[derive(Serialize)]
struct Document {
    pull_id: PullId,
    dry_run: bool,
    #[serde(flatten)]
    entered: Entered,
}

impl Replay {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pull = super::pull(context, &store, Some(self.pull)).await?;
        let groups = store.rejected_groups(Some(pull)).await?;
        if !groups.iter().any(|group| self.rule.as_ref().is_none_or(|rule| *rule == group.rule)) {
            return Err(nothing(&store, pull, self.rule.as_deref()).await?);
        }
        let meant = Revalidation { pull, rule: self.rule, min_viewers: self.min_viewers };
        let counted = dead_letters::count_revalidation(&store, &context.clock, &meant).await?;
        let document = |dry_run, entered| Document { pull_id: pull, dry_run, entered };
        if self.dry_run {
            context
                .output
                .result(&document(true, counted), |document| format!("would let {}", told(document)));
            return Ok(Exit::Success);
        }
        if counted.entered + counted.duplicates == 0 {
            let why = format!(
                "none of the rejected records passes: {} stay. Nothing was changed",
                counted.remaining
            );
            return Err(Error::Nothing(why));
        }
        self.consent.ask_or_preview(&format!("Let {}?", told(&document(true, counted))))?;
        let broker = context.connect().await?;
        let entered = dead_letters::revalidate(&store, &broker.announcer, &context.clock, &meant).await?;
        context.output.result(&document(false, entered), |document| {
            suggest::typed(&format!("let {}; `operator wait {pull}` follows it", told(document)))
        });
        Ok(Exit::Success)
    }
}

fn told(document: &Document) -> String {
    let Entered { entered, duplicates, remaining, chunks } = document.entered;
    format!(
        "{} enter pull {} in {}, {} it has already; {} stay rejected",
        count(entered, "stream"),
        document.pull_id,
        count(chunks, "chunk"),
        duplicates,
        remaining
    )
}
