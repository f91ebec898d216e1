//! `operator show`.

use clap::Args;

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    pull_ref::PullRef,
    view::{self, PullDetails},
};

/// The most retried messages per stage that are read.
const MOST_RETRIES: i64 = 1_000;
/// The most waiting chunks that are shown.
const MOST_WAITING: i64 = 20;

/// What a program reads.
const JSON: &str = r#"JSON: {"pull": {"pull_id", "status", …}, "stages": [{"stage", "chunks", "first_at", "last_at"}, …],
"waiting": [{"chunk", "stage", "since", "failed_stage", "failure"}, …], "obstacle"}; at most 20 waiting chunks,
those that failed first. Times are UTC, RFC 3339; what is not known yet is null"#;

/// Show everything about a pull: status, stages, counts, what it is waiting for and why
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Show {
    /// The pull, by number or `latest`
    #[arg(value_name = "PULL")]
    pull: PullRef,
}

impl Show {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let id = context.resolve(&store, self.pull).await?;
        let now = context.clock.now();
        let pull = store.pull_report(id).await?;
        let (workers, retries) = (store.worker_states(now).await?, store.retries(MOST_RETRIES).await?);
        let details = PullDetails {
            obstacle: view::pull_obstacle(&pull, &store.stage_pauses(now).await?, &workers, &retries, now),
            pull,
            stages: store.stage_spans(id).await?,
            waiting: store.waiting(id, MOST_WAITING).await?,
        };
        context.output.result(details, json::PullDetails::from, |details| view::pull_details(details, now));
        Ok(Exit::Success)
    }
}
