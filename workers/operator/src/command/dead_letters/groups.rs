//! `operator dead-letters groups`.

use clap::Args;
use shared::store::DeadLetterFilter;

use super::{filter::FilterFlags, selection::explain_no_match};
use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
const JSON: &str = r#"JSON: one document per line: {"fingerprint", "stage", "class", "code", "letters", "held", "first_failed_at",
"last_failed_at", "sample", "message", "owner", "note"}; "sample" is the number of the newest dead letter"#;

/// Group dead letters by cause, the largest group first
///
/// Failures that differ only in numbers, ids, times and quoted words are one group.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Groups {
    #[command(flatten)]
    flags: FilterFlags,
}

impl Groups {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let now = context.clock.now();
        let filter = self.flags.filter(now);
        let groups = store.dead_letter_groups(&filter, None).await?;
        if groups.is_empty() && filter != DeadLetterFilter::default() {
            return Err(explain_no_match(&store, &filter).await?);
        }
        context
            .output
            .list(groups, json::DeadLetterGroup::from, |groups| view::dead_letter_groups(groups, now));
        Ok(Exit::Success)
    }
}
