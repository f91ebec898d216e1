//! `operator erase`.

use clap::Args;
use shared::{
    erasure::{Erasure, Search},
    schema::ChannelId,
};

use super::confirmation::Confirmation;
use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
const JSON: &str = r#"JSON: {"channel_id", "counts": {"table.column" or queue: n}, "found": null, or the same of afterwards, "lake": bool}"#;

/// Erase a channel from every table, page, document, dead letter and queue, and search for it afterwards
///
/// What is counted stays, under pseudonyms that cannot be resolved: viewers, games, languages, times. Erases what was collected so
/// far: as long as the channel streams, the next pull collects it again. Run it as the owner of the database, as `operator migrate`.
/// Exits with 1 where the channel is still found, or where there is a lake, whose files it does not reach.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Erase {
    /// The channel's id
    #[arg(long, value_name = "ID")]
    channel: ChannelId,
    /// A former login or display name, which only texts still hold; may be given several times
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Leave titles, tags and descriptions of other channels as they are: for a channel that is called like a common word
    #[arg(long)]
    own_only: bool,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Erase {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        if !store.owns_tables().await? {
            return Err(Error::Failed(NOT_OWNER.to_owned()));
        }
        let broker = context.connect().await?;
        let erasure = Erasure { channel: self.channel.clone(), names: self.names, own_only: self.own_only };
        let search = Search::prepare(&store, &erasure).await?;
        let counts = search.count(&store, &broker.announcer).await?;
        let lake = store.lake_in_use().await?;
        if self.dry_run {
            let counted = view::Erased { channel_id: self.channel, counts, found: None, lake };
            context.output.result(counted, json::Erased::from, view::erased);
            return Ok(Exit::Success);
        }
        let question = format!("{} Erase it, without a way back?", view::found_in(&counts));
        self.confirmation.ask_or_preview(&question)?;
        let by = &self.confirmation.by;
        let found = search.erase(&store, &broker.announcer, &context.clock, by, &counts).await?;
        let exit = if found.is_empty() && !lake { Exit::Success } else { Exit::Failed };
        let erased = view::Erased { channel_id: self.channel, counts, found: Some(found), lake };
        context.output.result(erased, json::Erased::from, view::erased);
        Ok(exit)
    }
}

const NOT_OWNER: &str =
    "this user does not own the tables: use the DATABASE_URL of their owner, as for `operator migrate`";
