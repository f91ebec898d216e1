//! `operator wait`: follows a pull to its end.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use shared::{
    schema::{PullId, PullStatus},
    store::{PullReport, Store},
};

use crate::{
    cli::PullRef,
    context::Context,
    error::Error,
    exit::Exit,
    output,
    progress::{Ended, Follower},
    view::summary,
};

/// What a program reads.
const JSON: &str = r#"JSON: {"outcome": "success" | "failed" | "timeout" | "interrupted", "pull": {…}},
the pull as `operator show` has it"#;

/// Follow a pull to its end: exits 0 if it succeeds, 1 if it fails
///
/// Shows progress on standard error: bars on a terminal, lines elsewhere. Says so if nobody works on it, where
/// RabbitMQ can be asked. Ctrl-C and the timeout end only the waiting.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Wait {
    /// The pull's number, or `latest`
    #[arg(value_name = "PULL")]
    pull: PullRef,
    #[command(flatten)]
    patience: Patience,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Patience {
    /// Longest time to wait, such as 90s, 30m or 2h
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

#[derive(Serialize)]
struct Document {
    outcome: &'static str,
    pull: PullReport,
}

impl Wait {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let pull = context.resolve(&store, self.pull).await?;
        follow(context, &store, pull, self.patience).await
    }
}

/// Follows `pull`, and tells how it ended.
pub(super) async fn follow(
    context: &Context,
    store: &Store,
    pull: PullId,
    patience: Patience,
) -> Result<Exit, Error> {
    let report = store.pull_report(pull).await?;
    let (ended, report, obstacle) = Follower::new(context, store, report).follow(patience.timeout).await?;
    let failed = report.status == PullStatus::Failed.as_str();
    let waited = humantime::format_duration(patience.timeout);
    let (outcome, exit, complaint) = match ended {
        Ended::Closed if failed => {
            let error = report.error.as_deref().unwrap_or("it does not say why");
            let complaint = format!("pull {pull} failed: {error}; `operator show {pull}` tells more");
            ("failed", Exit::Failed, Some(complaint))
        }
        Ended::Closed => ("success", Exit::Success, None),
        Ended::TimedOut => {
            let why = obstacle.map_or_else(
                || format!("`operator show {pull}` tells what it waits for"),
                |obstacle| format!("it waits: {obstacle}"),
            );
            let complaint = format!(
                "pull {pull} is still {} after {waited} of waiting, and goes on: {why}",
                report.status
            );
            ("timeout", Exit::Timeout, Some(complaint))
        }
        Ended::Interrupted => {
            let complaint =
                format!("pull {pull} goes on without us: `operator wait {pull}` follows it again");
            ("interrupted", Exit::Interrupted, Some(complaint))
        }
    };
    let closed = ended == Ended::Closed;
    if closed || context.output.json {
        context.output.result(&Document { outcome, pull: report }, |document| summary(&document.pull));
    }
    if let Some(complaint) = complaint {
        output::complain(&complaint);
    }
    Ok(exit)
}
