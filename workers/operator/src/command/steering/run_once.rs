//! `operator run-once`.

use std::time::Duration;

use clap::Args;
use shared::store::{RUN_ONCE_WITHIN, RunOnceReport, Store};
use tokio::time::{Instant, sleep};

use super::{By, StageArg};
use crate::{context::Context, error::Error, exit::Exit, json};

/// The time between two looks at what became of it.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// What a program reads.
const JSON: &str =
    r#"JSON: {"stage", "outcome": "settled" | "nothing-waits" | "given-back", "message_id", "taken_by"}"#;

/// Have a paused stage handle exactly one message
///
/// However many replicas run, one of them takes the first message of the queue and handles it to its end: done, to be
/// retried, or a dead letter. Then the pause goes on. Exits 0 if a message was settled, 1 if not.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct RunOnce {
    #[command(flatten)]
    stage: StageArg,
    /// Longest time to wait for the message to be handled
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    timeout: Duration,
    #[command(flatten)]
    by: By,
}

impl RunOnce {
    pub(in crate::command) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let (store, stage) = (context.ready_store().await?, self.stage.stage);
        let request = store.request_run_once(&stage, &self.by.by, context.clock.now()).await?;
        let Some(request) = request else {
            let why = format!("the {stage} is not paused: `operator pause {stage}` pauses it");
            return Err(Error::Failed(why));
        };
        let report = wait(&store, request, &stage, self.timeout).await?;
        let (settled, text) = (report.outcome.as_deref() == Some("settled"), text(&stage, &report));
        context.output.result(report, |report| json::RanOnce::new(stage, report), |_| text);
        Ok(if settled { Exit::Success } else { Exit::Failed })
    }
}

/// What became of the request, once something has.
async fn wait(store: &Store, request: i64, stage: &str, timeout: Duration) -> Result<RunOnceReport, Error> {
    let began = Instant::now();
    loop {
        let report = store.run_once_report(request).await?;
        if report.outcome.is_some() {
            return Ok(report);
        }
        let taken_on_in_time = RUN_ONCE_WITHIN.to_std().unwrap_or_default();
        match &report.taken_by {
            None if began.elapsed() > taken_on_in_time.min(timeout) => {
                return Err(Error::Failed(format!(
                    "no {stage} has taken a message: `operator doctor` says why; the request is void after a minute"
                )));
            }
            Some(replica) if began.elapsed() > timeout => {
                return Err(Error::Failed(format!("{replica} has not finished its message yet")));
            }
            _ => sleep(POLL_EVERY).await,
        }
    }
}

fn text(stage: &str, report: &RunOnceReport) -> String {
    let message =
        report.message_id.as_deref().filter(|id| !id.is_empty()).unwrap_or("a message without an id");
    let by = report.taken_by.as_deref().unwrap_or(stage);
    match report.outcome.as_deref() {
        Some("settled") => format!("{message} is settled, by {by}; the {stage} stays paused"),
        Some("nothing-waits") => format!("nothing waits for the {stage}"),
        _ => format!("{message} is back in its queue: {by} met trouble, `operator doctor` says which"),
    }
}
