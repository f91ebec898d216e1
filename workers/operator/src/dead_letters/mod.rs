//! `operator dead-letters`: what failed, why, and sending it back. One subcommand a file.
//!
//! Lists and groups come from the dead-letter store in PostgreSQL, so looking disturbs no queue. What moves dead letters asks a person
//! first, and tells exactly how many it means.

mod body;
mod confirm;
mod diff;
mod discard;
mod edit;
mod export;
mod filter;
mod format;
mod groups;
mod hold;
mod import;
mod list;
mod ndjson;
mod note;
mod progress;
mod replay;
mod report;
mod restore;
mod show;

use clap::{Args, Subcommand};
pub(crate) use confirm::Confirmation;

use crate::{context::Context, error::Error, exit::Exit};

const EXAMPLES: &str = "\
Examples:
  operator dead-letters groups                                what is wrong, by cause
  operator dead-letters list --stage finalizer --since 2h     which messages
  operator dead-letters show 17                               one, whole
  operator dead-letters replay --group 3fa9 --canary          carefully, once the cause is resolved
  operator dead-letters report                                what came of it";

/// See what failed and why, send it back, put it away
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Groups(groups::Groups),
    Show(show::Show),
    Replay(replay::Replay),
    Report(report::Report),
    Discard(discard::Discard),
    Restore(restore::Restore),
    Note(note::Note),
    Hold(hold::Hold),
    Release(hold::Release),
    Export(export::Export),
    Import(import::Import),
    Edit(edit::Edit),
}

impl DeadLetters {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::List(list) => list.run(context).await,
            Command::Groups(groups) => groups.run(context).await,
            Command::Show(show) => show.run(context).await,
            Command::Replay(replay) => replay.run(context).await,
            Command::Report(report) => report.run(context).await,
            Command::Discard(discard) => discard.run(context).await,
            Command::Restore(restore) => restore.run(context).await,
            Command::Note(note) => note.run(context).await,
            Command::Hold(hold) => hold.run(context).await,
            Command::Release(release) => release.run(context).await,
            Command::Export(export) => export.run(context).await,
            Command::Import(import) => import.run(context).await,
            Command::Edit(edit) => edit.run(context).await,
        }
    }
}
