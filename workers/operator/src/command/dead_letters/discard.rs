//! `operator dead-letters discard`.

use clap::Args;
use shared::{
    dead_letters,
    operations::{Action, Effect},
};

use super::{
    super::{
        confirmation::Confirmation,
        recorded::{recorded, requester},
    },
    selection::{Selection, count_matching},
};
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json, suggest,
    view::{describe_causes, format::count},
};

/// What a program reads.
const JSON: &str = r#"JSON: {"discarded"}; with --dry-run {"would_discard"}"#;

/// Move dead letters from their queues into the archive
///
/// Nothing is lost: `restore` brings a discarded dead letter back as it was.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Discard {
    #[command(flatten)]
    selection: Selection,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Discard {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter = self.selection.filter(context.clock.now())?;
        let queued = filter.in_queue();
        let would_discard = count_matching(&store, &queued).await?;
        let causes = describe_causes(&store.dead_letter_groups(&queued, None).await?);
        let what = format!("{} ({causes})", count(would_discard, "dead letter"));
        if self.dry_run {
            let document = |would_discard| json::DiscardPreview { would_discard };
            context.output.result(would_discard, document, |_| format!("would discard {what}"));
            return Ok(Exit::Success);
        }
        self.confirmation.ask_or_preview(&format!("Discard {what}?"))?;
        let broker = context.connect().await?;
        let by = &self.confirmation.by;
        let work = async {
            Ok(dead_letters::discard(&store, &broker.announcer, &context.clock, &queued, by).await?)
        };
        let action = Action::Discard { filter, exactly: false };
        let who = requester(by, Some(would_discard));
        let effect = |discarded: &usize| Effect::Discarded(*discarded);
        let discarded = recorded(context, &store, &action, who, effect, work).await?;
        context.output.result(
            discarded,
            |discarded| json::Discarded { discarded },
            |discarded| {
                suggest::typed(&format!(
                    "{} discarded; `operator dead-letters list --state discarded` lists them, \
                     `operator dead-letters restore ID` brings one back",
                    count(*discarded, "dead letter")
                ))
            },
        );
        Ok(Exit::Success)
    }
}
