//! The commands, one a file: each reads like what it does.

mod config;
mod migrate;
mod pull;
mod pulls;
mod rerun;
mod show;
mod status;
mod topology;
mod wait;

use clap::Subcommand;

use crate::{context::Context, dead_letters::DeadLetters, error::Error, exit::Exit, rejected::Rejected};

/// What a person may ask for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Migrate(migrate::Migrate),
    Pull(pull::Pull),
    Wait(wait::Wait),
    Pulls(pulls::Pulls),
    Rerun(rerun::Rerun),
    Show(show::Show),
    Status(status::Status),
    Topology(topology::Topology),
    DeadLetters(Box<DeadLetters>),
    Rejected(Box<Rejected>),
    Config(config::Config),
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            Self::Migrate(migrate) => migrate.run(context).await,
            Self::Pull(pull) => pull.run(context).await,
            Self::Wait(wait) => wait.run(context).await,
            Self::Pulls(pulls) => pulls.run(context).await,
            Self::Rerun(rerun) => rerun.run(context).await,
            Self::Show(show) => show.run(context).await,
            Self::Status(status) => status.run(context).await,
            Self::Topology(topology) => topology.run(context).await,
            Self::DeadLetters(letters) => letters.run(context).await,
            Self::Rejected(rejected) => rejected.run(context).await,
            Self::Config(config) => config.run(context),
        }
    }
}
