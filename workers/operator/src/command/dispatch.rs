//! The list of commands.

use clap::Subcommand;

use super::{
    alarms::Alarms, config::Config, dead_letters::DeadLetters, erase::Erase, events::Events,
    history::History, lake::Lake, migrate::Migrate, pull::Pull, pulls::Pulls, redshift::Redshift,
    rejected::Rejected, rerun::Rerun, retention::Retention, shadow::Shadow, show::Show, status::Status,
    topology::Topology, trace::Trace, wait::Wait,
};
use crate::{context::Context, error::Error, exit::Exit};

/// What a person may ask for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Migrate(Migrate),
    Pull(Pull),
    Wait(Wait),
    Pulls(Pulls),
    Rerun(Rerun),
    Show(Show),
    Status(Status),
    History(History),
    Events(Events),
    Alarms(Alarms),
    Trace(Trace),
    Topology(Topology),
    DeadLetters(Box<DeadLetters>),
    Rejected(Box<Rejected>),
    Retention(Retention),
    Erase(Erase),
    Shadow(Shadow),
    Lake(Box<Lake>),
    Redshift(Box<Redshift>),
    Config(Config),
}

impl Command {
    /// Runs it.
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self {
            Self::Migrate(migrate) => migrate.run(context).await,
            Self::Pull(pull) => pull.run(context).await,
            Self::Wait(wait) => wait.run(context).await,
            Self::Pulls(pulls) => pulls.run(context).await,
            Self::Rerun(rerun) => rerun.run(context).await,
            Self::Show(show) => show.run(context).await,
            Self::Status(status) => status.run(context).await,
            Self::Events(events) => events.run(context).await,
            Self::Trace(trace) => trace.run(context).await,
            Self::History(history) => history.run(context).await,
            Self::Alarms(alarms) => alarms.run(context).await,
            Self::Topology(topology) => topology.run(context).await,
            Self::DeadLetters(dead_letters) => dead_letters.run(context).await,
            Self::Rejected(rejected) => rejected.run(context).await,
            Self::Retention(retention) => retention.run(context).await,
            Self::Erase(erase) => erase.run(context).await,
            Self::Shadow(shadow) => shadow.run(context).await,
            Self::Lake(lake) => lake.run(context).await,
            Self::Redshift(redshift) => redshift.run(context).await,
            Self::Config(config) => config.run(context),
        }
    }
}
