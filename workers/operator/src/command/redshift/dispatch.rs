//! The list of subcommands.

use clap::{Args, Subcommand};

use super::{copy::Copy, ddl::Ddl, load::Load};
use crate::{context::Context, error::Error, exit::Exit};

/// Print Redshift's tables and load statements for the data lake, or load a day
#[derive(Debug, Args)]
pub(crate) struct Redshift {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ddl(Ddl),
    Copy(Copy),
    Load(Load),
}

impl Redshift {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::Ddl(ddl) => Ok(ddl.run(context)),
            Command::Copy(copy) => copy.run(context).await,
            Command::Load(load) => context.recording(load.run(context)).await,
        }
    }
}
