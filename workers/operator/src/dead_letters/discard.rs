//! `operator dead-letters discard`.

use clap::Args;
use serde::Serialize;
use shared::{
    dead_letters,
    store::{DeadLetterFilter, Store},
};

use super::{
    confirm::Confirmation,
    filter::{Selection, nothing},
    format::causes,
};
use crate::{context::Context, error::Error, exit::Exit, suggest, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"discarded"}; with --dry-run {"would_discard"}"#;

/// Put dead letters away: out of their queue, into the archive
///
/// Nothing is lost: `restore` brings a discarded dead letter back as it was.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Discard {
    #[command(flatten)]
    meant: Selection,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    consent: Confirmation,
}

#[derive(Serialize)]
struct Count {
    would_discard: i64,
}

#[derive(Serialize)]
struct Document {
    discarded: usize,
}

impl Discard {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter = self.meant.filter(context.clock.now())?;
        let meant = queued(&filter);
        let would_discard = store.count_dead_letters(&meant).await?;
        if would_discard == 0 {
            return Err(nothing(&store, &filter).await?);
        }
        let what = told(&store, &meant, would_discard).await?;
        if self.dry_run {
            context.output.result(&Count { would_discard }, |_| format!("would discard {what}"));
            return Ok(Exit::Success);
        }
        self.consent.ask_or_preview(&format!("Discard {what}?"))?;
        let broker = context.connect().await?;
        let by = &self.consent.by;
        let discarded = dead_letters::discard(&store, &broker.announcer, &context.clock, &meant, by).await?;
        context.output.result(&Document { discarded }, |document| {
            let letters = count(i64::try_from(document.discarded).unwrap_or(i64::MAX), "dead letter");
            let shown = "`operator dead-letters list --state discarded` shows them";
            suggest::typed(&format!("{letters} discarded; {shown}, `restore` brings them back"))
        });
        Ok(Exit::Success)
    }
}

/// The dead letters among those meant that can be discarded.
fn queued(filter: &DeadLetterFilter) -> DeadLetterFilter {
    let states = filter.states.clone().unwrap_or_else(|| vec!["dead".to_owned(), "held".to_owned()]);
    let states = states.into_iter().filter(|state| state == "dead" || state == "held").collect();
    DeadLetterFilter { states: Some(states), ..filter.clone() }
}

async fn told(store: &Store, filter: &DeadLetterFilter, letters: i64) -> Result<String, Error> {
    let groups = store.dead_letter_groups(filter).await?;
    Ok(format!("{} ({})", count(letters, "dead letter"), causes(&groups)))
}
