//! `operator erase`.

use std::time::Duration;

use clap::Args;
use shared::{
    erasure::{Erasure, Search},
    proof::Leftovers,
    schema::ChannelId,
    store::{Places, Store},
};

use super::{confirmation::Confirmation, lake::LakeFiles};
use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
const JSON: &str = r#"JSON: {"channel_id", "counts": {"table.column", queue or "lake/table": n}, "found": null, or where its bytes still are,
"explained": {reason: the same of bytes that are something else}, "ended": whether it is done, "lake": whether there is a lake that was left as it
is, "not_reached": ["…"]}"#;

/// Erase a channel from every table, page, document, dead letter, queue and file of the lake, and search for it afterwards
///
/// What is counted stays, under pseudonyms that cannot be resolved: viewers, games, languages, times. Erases what was collected so
/// far: as long as the channel streams, the next pull collects it again. Run it as the owner of the database, as `operator migrate`.
/// The files of a lake are rewritten by the exporter, which has to run. Cut short, it is gone on with by the same command, which
/// `operator status` names. Exits with 1 where the channel is still found, or the lake was left as it is: it has not ended then.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
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
    /// End it though the channel is still found: somebody has looked, and what is left is something else
    #[arg(long)]
    accept_found: bool,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Erase {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.owners_store().await?;
        // On the heap, because it is large.
        let erased = store.if_elected("erasure", Box::pin(self.erase(context, &store))).await?;
        erased.ok_or_else(|| Error::Failed(BUSY.to_owned()))
    }

    /// Counts, asks and erases, while nobody else does.
    async fn erase(self, context: &Context, store: &Store) -> Result<Exit, Error> {
        let broker = context.connect().await?;
        let erasure = Erasure { channel: self.channel.clone(), names: self.names, own_only: self.own_only };
        let mut search = Search::prepare(store, &erasure).await?;
        let (clock, by) = (&context.clock, &*self.confirmation.by);
        let (mut in_lake, lake) = (Places::new(), store.lake_in_use().await?);
        let files = LakeFiles { store, clock, by, timeout: self.timeout };
        let left_lake = lake && self.leave_lake;
        if lake && !left_lake {
            let (rows, names) = files.search(search.scrubber()).await?;
            in_lake = rows;
            // The lake may remember names that the database has forgotten.
            search = search.also(names);
        }
        // It counts what it changes, so that nobody has to count before who need not be asked.
        if self.dry_run || !self.confirmation.is_given() {
            let mut counts = search.count(store, &broker.announcer).await?;
            counts.extend(in_lake.clone());
            if self.dry_run {
                let counted = view::Erased::counted(self.channel, counts, left_lake);
                context.output.result(counted, json::Erased::from, view::erased);
                return Ok(Exit::Success);
            }
            let question = format!("{} Erase it, without a way back?", view::found_in(&counts));
            self.confirmation.ask_or_preview(&question)?;
        }
        let mut erasure = search.begin(store, by, clock.now()).await?;
        erasure.note(store, in_lake).await?;
        erasure.erase(store, &broker.announcer).await?;
        let mut left = Leftovers::default();
        // After the database: what is exported from now on does not name the channel.
        if lake && !left_lake {
            left.extend(files.erase(erasure.scrubber()).await?);
        }
        left.extend(erasure.prove(store, &broker.announcer).await?);
        let counts = erasure.counts().clone();
        // As long as the lake has it, the names and the pseudonyms are needed.
        let ended = !left_lake && (left.unexplained.is_empty() || self.accept_found);
        let exit = if ended {
            erasure.end(store, &left, clock.now()).await?;
            Exit::Success
        } else {
            erasure.leave(store, &left).await?;
            Exit::Failed
        };
        let erased = view::Erased::done(self.channel, counts, left, left_lake, ended);
        context.output.result(erased, json::Erased::from, view::erased);
        Ok(exit)
    }
}

const BUSY: &str = "another erasure is under way: run the command again when it has ended";
