//! `operator rejected revalidate`.

use clap::Args;
use shared::{
    dead_letters::{self, Entered, Revalidation},
    schema::PullId,
};

use super::{
    super::confirmation::Confirmation,
    selection::{explain_no_match, find_pull},
};
use crate::{
    context::Context, error::Error, exit::Exit, json, pull_ref::PullRef, suggest, view::format::count,
};

/// What a program reads.
const JSON: &str = r#"JSON: {"pull_id", "dry_run", "entered", "duplicates", "remaining", "chunks"}"#;

/// Validate the rejected records of a pull again; those that pass enter it
///
/// Their chunks run through the stages once more; a pull that had ended ends once more, with another event.
/// `operator wait PULL` follows it. The messages in streams.rejected are removed or replaced accordingly.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Revalidate {
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
    confirmation: Confirmation,
}

impl Revalidate {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pull = find_pull(context, &store, Some(self.pull)).await?;
        let groups = store.rejected_groups(Some(pull)).await?;
        if !groups.iter().any(|group| self.rule.as_ref().is_none_or(|rule| *rule == group.rule)) {
            return Err(explain_no_match(&store, pull, self.rule.as_deref()).await?);
        }
        let order = Revalidation { pull, rule: self.rule, min_viewers: self.min_viewers };
        let counted = dead_letters::count_revalidation(&store, &context.clock, &order).await?;
        let document = |dry_run| move |entered| json::Revalidation::new(pull, dry_run, entered);
        if self.dry_run {
            context.output.result(counted, document(true), |counted| describe("would pass", pull, counted));
            return Ok(Exit::Success);
        }
        if counted.entered + counted.duplicates == 0 {
            let why = format!("{} stay rejected. Nothing was changed", count(counted.remaining, "record"));
            return Err(Error::Failed(why));
        }
        self.confirmation
            .ask_or_preview(&format!("{}. Continue?", describe("would pass", pull, &counted)))?;
        let broker = context.connect().await?;
        let entered = dead_letters::revalidate(&store, &broker.announcer, &context.clock, &order).await?;
        context.output.result(entered, document(false), |entered| {
            let passed = describe("passed", pull, entered);
            suggest::typed(&format!("{passed}; `operator wait {pull}` follows the pull"))
        });
        Ok(Exit::Success)
    }
}

fn describe(passed: &str, pull: PullId, entered: &Entered) -> String {
    format!(
        "{} {passed} into pull {pull} ({}), {} already there; {} stay rejected",
        count(entered.entered, "stream"),
        count(entered.chunks, "chunk"),
        entered.duplicates,
        entered.remaining
    )
}
