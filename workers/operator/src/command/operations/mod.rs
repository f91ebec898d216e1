//! `operator operations`: what people have ordered, from here or from the console.

mod list;
mod show;
mod stop;

use clap::{Args, Subcommand};

use crate::{context::Context, error::Error, exit::Exit};

/// Show what people have ordered, and stop it
///
/// Replays, discards, restores, holds, reruns, pauses and cancels are operations, whoever ordered them and from where: an
/// extractor carries them out, or the command that ordered them.
#[derive(Debug, Args)]
pub(crate) struct Operations {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Show(show::Show),
    Stop(stop::Stop),
}

impl Operations {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command.unwrap_or(Command::List(list::List::default())) {
            Command::List(list) => list.run(context).await,
            Command::Show(show) => show.run(context).await,
            Command::Stop(stop) => stop.run(context).await,
        }
    }
}
