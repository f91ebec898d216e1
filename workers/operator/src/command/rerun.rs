//! `operator rerun`.

use clap::Args;
use shared::{
    operations::{Action, Effect},
    pull::rerun,
    store::{Rerun as Started, RerunFrom},
};

use super::{
    confirmation::Confirmation,
    recorded::{recorded, requester},
};
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    pull_ref::PullRef,
    suggest,
    view::format::{count, time},
};

/// What a program reads.
const JSON: &str =
    r#"JSON: {"pull_id", "from_stage", "build", "was_status", "was_completed_at", "was_build", "chunks"}"#;

/// Run a past pull again, from its stored pages
///
/// Requests no streams from Twitch: the pages are in the database. Requests only games and channels that are unknown or stale;
/// with `--from merge`, none. The pull ends once more, with another event; `operator wait PULL` follows it. The table
/// `pull_rerun` records who asked, the first stage, and both builds.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Rerun {
    /// The pull, by number or `latest`
    #[arg(value_name = "PULL")]
    pull: PullRef,
    /// The first stage to run again
    #[arg(long, value_name = "STAGE", default_value = "games")]
    from: RerunFrom,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Rerun {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pull = context.resolve(&store, self.pull).await?;
        let broker = context.connect().await?;
        self.confirmation.ask(&format!("Run pull {pull} again, from the {} on?", self.from.as_str()))?;
        let by = &self.confirmation.by;
        let work = async { Ok(rerun(&store, &broker.announcer, &context.clock, pull, self.from, by).await?) };
        let action = Action::Rerun { pull: pull.0, from: self.from };
        let effect = |rerun: &Started| Effect::RunsAgain(pull, rerun.chunks());
        let rerun = recorded(context, &store, &action, requester(by, None), effect, work).await?;
        context.output.result(rerun, json::Rerun::from, text);
        Ok(Exit::Success)
    }
}

fn text(rerun: &Started) -> String {
    let pull = rerun.pull_id;
    let build = rerun.was_build.as_ref().map(|build| format!(" (build {build})")).unwrap_or_default();
    let at = rerun.was_completed_at.map(|at| format!(" at {}", time(at))).unwrap_or_default();
    suggest::typed(&format!(
        "pull {pull} runs again, {} from the {} on, with build {}; previously {}{build}{at}. \
         `operator wait {pull}` follows it",
        count(rerun.chunks(), "chunk"),
        rerun.from_stage,
        rerun.build,
        rerun.was_status
    ))
}
