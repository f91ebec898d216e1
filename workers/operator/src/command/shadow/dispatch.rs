//! The list of subcommands.

use clap::{Args, Subcommand};

use super::{compare::Compare, flow::Flow};
use crate::{context::Context, error::Error, exit::Exit};

/// Move in from the NiFi flow: compare its pulls with these, and read its exported flow
#[derive(Debug, Args)]
pub(crate) struct Shadow {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Compare(Compare),
    Flow(Flow),
}

impl Shadow {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::Compare(compare) => compare.run(context).await,
            Command::Flow(flow) => flow.run(context),
        }
    }
}
