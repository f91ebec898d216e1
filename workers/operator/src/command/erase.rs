//! `operator erase`.

use std::time::Duration;

use clap::Args;
use shared::{
    erasure::{Erasure, Search},
    schema::ChannelId,
    store::Places,
};

use super::{confirmation::Confirmation, lake::LakeFiles};
use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
const JSON: &str = r#"JSON: {"channel_id", "counts": {"table.column", queue or "lake/table": n}, "found": null, or the same of afterwards, "lake": whether there is a lake that
was left as it is}"#;

/// Erase a channel from every table, page, document, dead letter, queue and file of the lake, and search for it afterwards
///
/// What is counted stays, under pseudonyms that cannot be resolved: viewers, games, languages, times. Erases what was collected so
/// far: as long as the channel streams, the next pull collects it again. Run it as the owner of the database, as `operator migrate`.
/// The files of a lake are rewritten by the exporter, which has to run. Exits with 1 where the channel is still found, or the lake
/// was left as it is.
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
    /// Leave the files of the lake as they are, and exit with 1
    #[arg(long)]
    leave_lake: bool,
    /// Longest time to wait for the exporter, such as 90s or 2h; it goes on after that
    #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = humantime::parse_duration)]
    timeout: Duration,
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
        let mut search = Search::prepare(&store, &erasure).await?;
        let (clock, by) = (&context.clock, &*self.confirmation.by);
        let (mut in_lake, lake) = (Places::new(), store.lake_in_use().await?);
        let files = LakeFiles { store: &store, clock, by, timeout: self.timeout };
        if lake && !self.leave_lake {
            let (rows, names) = files.search(search.scrubber()).await?;
            in_lake = rows;
            // The lake may remember names that the database has forgotten.
            search = search.also(names);
        }
        let mut counts = search.count(&store, &broker.announcer).await?;
        counts.extend(in_lake);
        let left = lake && self.leave_lake;
        if self.dry_run {
            let counted = view::Erased { channel_id: self.channel, counts, found: None, lake: left };
            context.output.result(counted, json::Erased::from, view::erased);
            return Ok(Exit::Success);
        }
        let question = format!("{} Erase it, without a way back?", view::found_in(&counts));
        self.confirmation.ask_or_preview(&question)?;
        let record = store.begin_erasure(by, &counts, clock.now()).await?;
        let mut found = search.erase(&store, &broker.announcer).await?;
        // After the database: what is exported from now on does not name the channel.
        if lake && !left {
            found.extend(files.erase(search.scrubber()).await?);
        }
        store.end_erasure(record, &found, clock.now()).await?;
        let exit = if found.is_empty() && !left { Exit::Success } else { Exit::Failed };
        let erased = view::Erased { channel_id: self.channel, counts, found: Some(found), lake: left };
        context.output.result(erased, json::Erased::from, view::erased);
        Ok(exit)
    }
}

const NOT_OWNER: &str =
    "this user does not own the tables: use the DATABASE_URL of their owner, as for `operator migrate`";
