//! The list of commands.

use clap::Subcommand;

use super::{
    alarms::Alarms,
    completions::{Completions, Manual},
    config::Config,
    dead_letters::DeadLetters,
    doctor::Doctor,
    erase::Erase,
    events::Events,
    history::History,
    lake::Lake,
    migrate::Migrate,
    pull::Pull,
    pulls::Pulls,
    redshift::Redshift,
    rejected::Rejected,
    rerun::Rerun,
    retention::Retention,
    shadow::Shadow,
    show::Show,
    status::Status,
    steering::{Cancel, Pause, Peek, Resume, RunOnce},
    top::Top,
    topology::Topology,
    trace::Trace,
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
    History(History),
    Events(Events),
    Alarms(Alarms),
    Trace(Trace),
    Doctor(Box<Doctor>),
    Top(Top),
    Pause(Pause),
    Resume(Resume),
    RunOnce(RunOnce),
    Peek(Peek),
    Topology(Topology),
    DeadLetters(Box<DeadLetters>),
    Rejected(Box<Rejected>),
    Retention(Retention),
    Erase(Erase),
    Shadow(Shadow),
    Lake(Box<Lake>),
    Redshift(Box<Redshift>),
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
            Self::Events(events) => events.run(context).await,
            Self::Trace(trace) => trace.run(context).await,
            Self::History(history) => history.run(context).await,
            Self::Alarms(alarms) => alarms.run(context).await,
            Self::Pause(pause) => pause.run(context).await,
            Self::Resume(resume) => resume.run(context).await,
            Self::RunOnce(run_once) => run_once.run(context).await,
            Self::Peek(peek) => peek.run(context).await,
            Self::Topology(topology) => topology.run(context).await,
            Self::DeadLetters(dead_letters) => dead_letters.run(context).await,
            Self::Rejected(rejected) => rejected.run(context).await,
            Self::Retention(retention) => retention.run(context).await,
            Self::Erase(erase) => erase.run(context).await,
            Self::Shadow(shadow) => shadow.run(context).await,
            Self::Lake(lake) => lake.run(context).await,
            Self::Redshift(redshift) => redshift.run(context).await,
            Self::Config(config) => config.run(context),
            Self::Completions(completions) => Ok(completions.run(context)),
            Self::Manual(manual) => manual.run(context),
        }
    }
}
