//! The list of commands.

use clap::Subcommand;

use super::{
    completions::{Completions, Manual},
    config::Config,
    dead_letters::DeadLetters,
    doctor::Doctor,
    migrate::Migrate,
    pull::Pull,
    pulls::Pulls,
    rejected::Rejected,
    rerun::Rerun,
    show::Show,
    status::Status,
    steering::{Cancel, Pause, Peek, Resume, RunOnce},
    top::Top,
    topology::Topology,
    wait::Wait,
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
    Cancel(Cancel),
    Show(Show),
    Status(Status),
    Doctor(Box<Doctor>),
    Top(Top),
    Pause(Pause),
    Resume(Resume),
    RunOnce(RunOnce),
    Peek(Peek),
    Topology(Topology),
    DeadLetters(Box<DeadLetters>),
    Rejected(Box<Rejected>),
    Config(Config),
    Completions(Completions),
    Manual(Manual),
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
            Self::Cancel(cancel) => cancel.run(context).await,
            Self::Show(show) => show.run(context).await,
            Self::Doctor(doctor) => Box::pin(doctor.run(context)).await,
            Self::Top(top) => top.run(context).await,
            Self::Status(status) => status.run(context).await,
            Self::Pause(pause) => pause.run(context).await,
            Self::Resume(resume) => resume.run(context).await,
            Self::RunOnce(run_once) => run_once.run(context).await,
            Self::Peek(peek) => peek.run(context).await,
            Self::Topology(topology) => topology.run(context).await,
            Self::DeadLetters(dead_letters) => dead_letters.run(context).await,
            Self::Rejected(rejected) => rejected.run(context).await,
            Self::Config(config) => config.run(context),
            Self::Completions(completions) => Ok(completions.run(context)),
            Self::Manual(manual) => manual.run(context),
        }
    }
}
