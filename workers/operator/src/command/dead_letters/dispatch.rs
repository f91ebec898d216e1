//! The list of subcommands.

use clap::{Args, Subcommand};

use super::{
    discard::Discard, edit::Edit, export::Export, groups::Groups, hold::Hold, import::Import, list::List,
    note::Note, release::Release, replay::Replay, report::Report, restore::Restore, show::Show,
};
use crate::{context::Context, error::Error, exit::Exit};

const EXAMPLES: &str = "\
Examples:
  operator dead-letters groups                                what is wrong, by cause
  operator dead-letters list --stage finalizer --since 2h     which messages
  operator dead-letters show 17                               one of them in full
  operator dead-letters replay --group 3fa9 --canary          in growing batches
  operator dead-letters report                                results of the replay";

/// Show what failed and why, send it back, or archive it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Groups(Groups),
    Show(Show),
    Replay(Replay),
    Report(Report),
    Discard(Discard),
    Restore(Restore),
    Note(Note),
    Hold(Hold),
    Release(Release),
    Export(Export),
    Import(Import),
    Edit(Edit),
}

impl DeadLetters {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::List(list) => list.run(context).await,
            Command::Groups(groups) => groups.run(context).await,
            Command::Show(show) => show.run(context).await,
            Command::Replay(replay) => context.recording(replay.run(context)).await,
            Command::Report(report) => report.run(context).await,
            Command::Discard(discard) => context.recording(discard.run(context)).await,
            Command::Restore(restore) => context.recording(restore.run(context)).await,
            Command::Note(note) => note.run(context).await,
            Command::Hold(hold) => context.recording(hold.run(context)).await,
            Command::Release(release) => context.recording(release.run(context)).await,
            Command::Export(export) => export.run(context).await,
            Command::Import(import) => context.recording(import.run(context)).await,
            Command::Edit(edit) => context.recording(edit.run(context)).await,
        }
    }
}
