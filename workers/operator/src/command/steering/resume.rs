//! `operator resume`.

use clap::Args;

use super::{By, StageArg};
use crate::{context::Context, error::Error, exit::Exit, json, view::format::duration};

/// What a program reads.
const JSON: &str = r#"JSON: {"stage", "was_paused": true | false}"#;

/// End a stage's pause: its workers go on, with one message first
///
/// Only a pause that `operator pause` began; a stage that is paused for trouble goes on by itself once that has passed.
/// Exits 0 also if the stage was not paused.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Resume {
    #[command(flatten)]
    stage: StageArg,
    #[command(flatten)]
    by: By,
}

impl Resume {
    pub(in crate::command) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let (stage, now) = (self.stage.stage, context.clock.now());
        let ended = context.ready_store().await?.resume_stage(&stage, &self.by.by, now).await?;
        let text = match &ended {
            Some(pause) => format!(
                "the {stage} goes on; it was paused for {} by {}",
                duration(now - pause.paused_at),
                pause.paused_by
            ),
            None => format!("nobody has paused the {stage}"),
        };
        context.output.result(ended.is_some(), |was_paused| json::Resumed { stage, was_paused }, |_| text);
        Ok(Exit::Success)
    }
}
