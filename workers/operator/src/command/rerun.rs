//! `operator rerun`.

use clap::Args;
use serde::Serialize;
use shared::{
    schema::PullId,
    store::{Rerun as Done, RerunFrom},
    work,
};

use crate::{
    cli::PullRef,
    context::Context,
    dead_letters::Confirmation,
    error::Error,
    exit::Exit,
    suggest,
    view::format::{count, time},
};

/// What a program reads.
const JSON: &str =
    r#"JSON: {"pull_id", "from_stage", "build", "was_status", "was_completed_at", "was_build", "chunks"}"#;

/// Send a past pull through its stages again, from its stored pages
///
/// Twitch's list of streams is not asked for again: the pages are in the database. Games and channels are asked for only
/// where what is known of them is not fresh; with `--from merge` nothing is. The pull ends once more, with another event,
/// and `operator wait PULL` follows it. Who asked, from where on, and which build had made the pull before is kept in the
/// table `pull_rerun`.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Rerun {
    /// The pull, by number or `latest`
    #[arg(value_name = "PULL")]
    pull: PullRef,
    /// Where to begin
    #[arg(long, value_name = "STAGE", default_value = "games")]
    from: RerunFrom,
    #[command(flatten)]
    consent: Confirmation,
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    rerun: Done,
    chunks: usize,
}

impl Rerun {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pull = context.resolve(&store, self.pull).await?;
        let broker = context.connect().await?;
        let stage = self.from.as_str();
        self.consent.ask(&format!("Send pull {pull} through its stages again, from the {stage} on?"))?;
        let rerun =
            work::rerun(&store, &broker.announcer, &context.clock, pull, self.from, &self.consent.by).await?;
        let document = Document { chunks: rerun.chunks(), rerun };
        context.output.result(&document, told);
        Ok(Exit::Success)
    }
}

fn told(document: &Document) -> String {
    let Document { rerun, chunks } = document;
    let pull: PullId = rerun.pull_id;
    let chunks = count(i64::try_from(*chunks).unwrap_or(i64::MAX), "chunk");
    let by = rerun.was_build.as_ref().map(|build| format!(" by build {build}")).unwrap_or_default();
    let at = rerun.was_completed_at.map(|at| format!(" at {}", time(at))).unwrap_or_default();
    suggest::typed(&format!(
        "pull {pull} goes through its stages again, {chunks} from the {} on, as build {}; it was {}{by}{at}. \
         `operator wait {pull}` follows it",
        rerun.from_stage, rerun.build, rerun.was_status
    ))
}
