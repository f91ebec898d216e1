//! `operator dead-letters list`.

use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use shared::store::{DeadLetterFilter, DeadLetterRow};

use super::{
    filter::{FilterFlags, nothing},
    format::{about, short},
};
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    view::{
        Style, Table,
        format::{ago, number},
    },
};

/// What a program reads.
const JSON: &str = r#"JSON: {"matching", "next_after", "letters": [{"id", "queue", "stage", "class", "code", "message", "fingerprint",
"attempts", "first_failed_at", "last_failed_at", "build", "generation", "pull_id", "chunk", "state"}, …]};
"next_after" is null on the last page"#;

/// List dead letters, oldest first, a page at a time
///
/// Asks the dead-letter store, so no queue is touched. Commands that do something mean all that match, not the page.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct List {
    #[command(flatten)]
    flags: FilterFlags,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
    /// Those after this dead letter: the next page
    #[arg(long, value_name = "ID", default_value_t = 0)]
    after: i64,
}

#[derive(Serialize)]
struct Page {
    matching: i64,
    next_after: Option<i64>,
    letters: Vec<DeadLetterRow>,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let now = context.clock.now();
        let filter = self.flags.filter(now);
        let matching = store.count_dead_letters(&filter).await?;
        if matching == 0 && filter != DeadLetterFilter::default() {
            return Err(nothing(&store, &filter).await?);
        }
        let mut letters = store.list_dead_letters(&filter, self.after, self.limit + 1).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let next_after = (letters.len() > limit).then(|| letters[limit - 1].id);
        letters.truncate(limit);
        let page = Page { matching, next_after, letters };
        context.output.result(&page, |page| text(page, now));
        Ok(Exit::Success)
    }
}

fn text(page: &Page, now: DateTime<Utc>) -> String {
    if page.matching == 0 {
        return "There are no dead letters.".to_owned();
    }
    let mut table = Table::new(&[
        ">ID",
        "STATE",
        "STAGE",
        "CODE\nmessage",
        "GROUP",
        ">PULL",
        ">TRIES",
        ">REPLAYS",
        "FAILED",
    ]);
    for letter in &page.letters {
        let tone = if letter.state == "dead" { Style::Bad } else { Style::Busy };
        table.toned(
            &[Style::Plain, tone],
            [
                letter.id.to_string(),
                letter.state.clone(),
                letter.stage.clone(),
                format!("{}\n{}", letter.code, short(&letter.message, 60)),
                letter.fingerprint.chars().take(6).collect(),
                about(letter),
                letter.attempts.to_string(),
                letter.generation.to_string(),
                ago(letter.last_failed_at, now),
            ],
        );
    }
    let shown = i64::try_from(page.letters.len()).unwrap_or(i64::MAX);
    let more = page.next_after.map_or_else(String::new, |id| format!("; the next with --after {id}"));
    format!("{table}\n{} of {} that match{more}", number(shown), number(page.matching))
}
