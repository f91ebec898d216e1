//! `operator resume`.

use clap::Args;
use shared::{
    operations::{Action, Effect},
    steering::StagePause,
};

use super::{
    super::recorded::{recorded, requester},
    By, StageArg,
};
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
        let (store, by) = (context.ready_store().await?, &self.by.by);
        let work = async { Ok(store.resume_stage(&stage, by, now).await?) };
        let effect = |ended: &Option<StagePause>| Effect::Resumed(stage.clone(), ended.is_some());
        let action = Action::Resume { stage: stage.clone() };
        let ended = recorded(context, &store, &action, requester(by, None), effect, work).await?;
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
