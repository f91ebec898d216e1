//! The list of subcommands.

use clap::{Args, Subcommand};

use super::{apply::Apply, set::Set, show::Show};
use crate::{context::Context, error::Error, exit::Exit};

/// Show and set how long data is kept, and remove what is older
#[derive(Debug, Args)]
pub(crate) struct Retention {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(Show),
    Set(Set),
    Apply(Apply),
}

impl Retention {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::Show(show) => show.run(context).await,
            Command::Set(set) => set.run(context).await,
            Command::Apply(apply) => context.recording(apply.run(context)).await,
        }
    }
}
