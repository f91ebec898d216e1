//! The list of subcommands.

use clap::{Args, Subcommand};

use super::{groups::Groups, list::List, revalidate::Revalidate, show::Show};
use crate::{context::Context, error::Error, exit::Exit};

/// Show which records failed validation and why, and revalidate them after a rule or setting changed
#[derive(Debug, Args)]
pub(crate) struct Rejected {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Groups(Groups),
    Show(Show),
    #[command(alias = "replay")]
    Revalidate(Revalidate),
}

impl Rejected {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::List(list) => list.run(context).await,
            Command::Groups(groups) => groups.run(context).await,
            Command::Show(show) => show.run(context).await,
            Command::Revalidate(revalidate) => context.recording(revalidate.run(context)).await,
        }
    }
}
