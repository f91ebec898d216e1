//! `operator run-once`.

use std::time::Duration;

use clap::Args;
use shared::{
    operations::{self, Action, Effect},
    store::RunOnceReport,
};

use super::{
    super::recorded::{carrier, requester},
    By, StageArg,
};
use crate::{context::Context, error::Error, exit::Exit, json};

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
        let (store, clock, stage) = (context.ready_store().await?, &context.clock, self.stage.stage);
        let (by, action) = (&self.by.by, Action::RunOnce { stage: stage.clone() });
        let claim = operations::begin(&store, clock, &action, requester(by, None), &carrier()).await?;
        let operation = claim.operation_id;
        let work = async {
            Ok::<_, Error>(operations::run_once(&store, clock, &stage, by, operation, self.timeout).await?)
        };
        let effect = |report: &RunOnceReport| Effect::RanOnce(stage.clone(), report.clone());
        let report = operations::record(&store, clock, claim, effect, work).await?;
        let settled = report.outcome.as_deref() == Some("settled");
        let text = effect(&report).to_string();
        context.output.result(report, |report| json::RanOnce::new(stage, report), |_| text);
        Ok(if settled { Exit::Success } else { Exit::Failed })
    }
}
