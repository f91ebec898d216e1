//! `operator rejected`: records that failed validation, why, and their way into the pull after all.

mod groups;
mod list;
mod replay;
mod show;

use clap::{Args, Subcommand};
use shared::{schema::PullId, store::Store};

use crate::{cli::PullRef, context::Context, error::Error, exit::Exit};

/// See which records failed validation and why, and let them in after a rule or setting changed
#[derive(Debug, Args)]
pub(crate) struct Rejected {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Groups(groups::Groups),
    Show(show::Show),
    Replay(replay::Replay),
}

impl Rejected {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Command::List(list) => list.run(context).await,
            Command::Groups(groups) => groups.run(context).await,
            Command::Show(show) => show.run(context).await,
            Command::Replay(replay) => replay.run(context).await,
        }
    }
}

/// The pull that is meant, which is there; without a name, the newest that has rejected records.
async fn pull(context: &Context, store: &Store, named: Option<PullRef>) -> Result<PullId, Error> {
    let Some(named) = named else {
        let newest = store.newest_with_rejects().await?;
        return newest.ok_or_else(|| Error::Nothing("no pull has rejected records".into()));
    };
    let pull = context.resolve(store, named).await?;
    store.pull_report(pull).await?;
    Ok(pull)
}

/// Why a pull has no rejected record that is meant.
async fn nothing(store: &Store, pull: PullId, rule: Option<&str>) -> Result<Error, Error> {
    let groups = store.rejected_groups(Some(pull)).await?;
    let there: Vec<_> = groups.iter().map(|group| format!("{} × {}", group.records, group.rule)).collect();
    Ok(Error::Nothing(match (rule, there.is_empty()) {
        (Some(rule), false) => {
            format!("no record of pull {pull} was rejected by {rule}; there are {}", there.join(", "))
        }
        _ => format!("no record of pull {pull} is rejected"),
    }))
}
