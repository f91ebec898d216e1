//! `operator dead-letters list`.

use clap::Args;
use shared::store::DeadLetterFilter;

use super::{filter::FilterFlags, selection::explain_no_match};
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    view::{self, DeadLetterPage},
};

/// What a program reads.
const JSON: &str = r#"JSON: {"matching", "next_after", "letters": [{"id", "queue", "stage", "class", "code", "message", "fingerprint",
"attempts", "first_failed_at", "last_failed_at", "build", "generation", "pull_id", "chunk", "state"}, …]};
"next_after" is null on the last page"#;

/// List dead letters, oldest first, one page at a time
///
/// Reads the dead-letter store, so no queue is touched. Commands that change dead letters mean all that match, not the page.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct List {
    #[command(flatten)]
    flags: FilterFlags,
    /// List at most N
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Start after this dead letter: the next page
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: i64,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let now = context.clock.now();
        let filter = self.flags.filter(now);
        let matching = store.count_dead_letters(&filter).await?;
        if matching == 0 && filter != DeadLetterFilter::default() {
            return Err(explain_no_match(&store, &filter).await?);
        }
        let mut dead_letters = store.list_dead_letters(&filter, self.after, self.limit + 1).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let next_after = (dead_letters.len() > limit).then(|| dead_letters[limit - 1].id);
        dead_letters.truncate(limit);
        let page = DeadLetterPage { matching, next_after, dead_letters };
        context.output.result(page, json::DeadLetterPage::from, |page| view::dead_letter_list(page, now));
        Ok(Exit::Success)
    }
}
