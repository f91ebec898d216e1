//! `operator wait`: follows a pull to its end.

use std::time::Duration;

use clap::Args;
use shared::{
    schema::{PullId, PullStatus},
    store::{PullReport, Store},
};

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json, output,
    progress::{Ended, Follower},
    pull_ref::PullRef,
    view::summary,
};

/// What a program reads.
const JSON: &str = r#"JSON: {"outcome": "success" | "failed" | "timeout" | "interrupted", "pull": {…}},
the pull as in `operator show`"#;

/// Follow a pull to its end: exits 0 if it succeeds, 1 if it fails
///
/// Shows progress on standard error: bars at a terminal, lines elsewhere. Warns if a stage has no worker, if RabbitMQ is
/// available. Ctrl-C and the timeout end only the waiting.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Wait {
    /// The pull, by number or `latest`
    #[arg(value_name = "PULL")]
    pull: PullRef,
    #[command(flatten)]
    timeout: Timeout,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Timeout {
    /// Longest time to wait, such as 90s, 30m or 2h
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

impl Wait {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pull = context.resolve(&store, self.pull).await?;
        follow(context, &store, pull, self.timeout).await
    }
}

/// Follows `pull`, and reports how it ended.
pub(super) async fn follow(
    context: &Context,
    store: &Store,
    pull: PullId,
    Timeout { timeout }: Timeout,
) -> Result<Exit, Error> {
    let report = store.pull_report(pull).await?;
    let (ended, report, obstacle) = Follower::new(context, store, report).follow(timeout).await?;
    let failed = report.status == PullStatus::Failed.as_str();
    let (outcome, exit, error) = match ended {
        Ended::Closed if failed => {
            let reason = report.error.as_deref().unwrap_or("no reason was recorded");
            let error = format!("pull {pull} failed: {reason}; `operator show {pull}` shows more");
            ("failed", Exit::Failed, Some(error))
        }
        Ended::Closed => ("success", Exit::Success, None),
        Ended::TimedOut => {
            let waited = humantime::format_duration(timeout);
            let why = obstacle.map_or_else(
                || format!("`operator show {pull}` shows what it is waiting for"),
                |obstacle| format!("waiting: {obstacle}"),
            );
            let error =
                format!("pull {pull} is still {} after {waited}, and continues: {why}", report.status);
            ("timeout", Exit::Timeout, Some(error))
        }
        Ended::Interrupted => {
            let error = format!("pull {pull} continues: `operator wait {pull}` follows it again");
            ("interrupted", Exit::Interrupted, Some(error))
        }
    };
    if ended == Ended::Closed || context.output.json {
        let document = |report: PullReport| json::Waited { outcome, pull: report.into() };
        context.output.result(report, document, summary);
    }
    if let Some(error) = error {
        output::error(&error);
    }
    Ok(exit)
}
