//! `operator dead-letters groups`.

use chrono::{DateTime, Utc};
use clap::Args;
use shared::store::{DeadLetterFilter, DeadLetterGroup};

use super::{
    filter::{FilterFlags, nothing},
    format::short,
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
const JSON: &str = r#"JSON: one document a line: {"fingerprint", "stage", "class", "code", "letters", "held", "first_failed_at",
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
        let groups = store.dead_letter_groups(&filter).await?;
        if groups.is_empty() && filter != DeadLetterFilter::default() {
            return Err(nothing(&store, &filter).await?);
        }
        context.output.list(&groups, |groups| text(groups, now));
        Ok(Exit::Success)
    }
}

fn text(groups: &[DeadLetterGroup], now: DateTime<Utc>) -> String {
    if groups.is_empty() {
        return "There are no dead letters.".to_owned();
    }
    let mut table = Table::new(&[
        "GROUP",
        ">LETTERS",
        ">HELD",
        "STAGE",
        "CODE\nmessage · note",
        "FIRST",
        "LAST",
        ">SAMPLE",
    ]);
    for group in groups {
        let owner = group.owner.iter().filter(|owner| !owner.is_empty());
        let note = group.note.iter().filter(|note| !note.is_empty());
        let known: Vec<String> =
            owner.map(|owner| format!("{owner}:")).chain(note.map(|note| short(note, 60))).collect();
        let known = if known.is_empty() { String::new() } else { format!("\n· {}", known.join(" ")) };
        table.toned(
            &[Style::Bad],
            [
                group.fingerprint.clone(),
                number(group.letters),
                number(group.held),
                group.stage.clone(),
                format!("{} ({})\n{}{known}", group.code, group.class, short(&group.message, 60)),
                ago(group.first_failed_at, now),
                ago(group.last_failed_at, now),
                group.sample.to_string(),
            ],
        );
    }
    table.to_string()
}
