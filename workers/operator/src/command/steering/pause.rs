//! `operator pause`.

use std::time::Duration;

use chrono::TimeDelta;
use clap::Args;
use shared::{
    operations::{Action, Effect},
    steering::StagePause,
};

use super::{
    super::recorded::{recorded, requester},
    By, StageArg,
};
use crate::{context::Context, error::Error, exit::Exit, json, view};

/// What a program reads.
const JSON: &str = r#"JSON: {"stage", "paused_by", "reason", "paused_at", "until"}"#;

/// Pause a stage: its workers stay, and take no messages
///
/// Every replica obeys within two seconds, and so does one that starts later. What is in hand is finished or goes back to its
/// queue; no retry and no delivery is counted. Pulls wait, and are not failed for it. While the extractor is paused, slots are
/// recorded as missed with the reason. `/readyz` answers 503 and says who has paused the stage. A second pause takes the
/// place of the first.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Pause {
    #[command(flatten)]
    stage: StageArg,
    /// End the pause by itself after so long, such as 30m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    lasting: Option<Duration>,
    /// Why, for whoever wonders
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    by: By,
}

impl Pause {
    pub(in crate::command) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let now = context.clock.now();
        let until = self.lasting.map(|lasting| {
            let lasting = TimeDelta::from_std(lasting).ok().filter(|lasting| *lasting > TimeDelta::zero());
            let until = lasting.and_then(|lasting| now.checked_add_signed(lasting));
            until.ok_or_else(|| Error::Usage("--for takes a duration, such as 30m".into()))
        });
        let pause = StagePause {
            stage: self.stage.stage,
            paused_by: self.by.by,
            reason: self.reason.filter(|reason| !reason.is_empty()),
            paused_at: now,
            until: until.transpose()?,
        };
        let store = context.ready_store().await?;
        let action = Action::Pause {
            stage: pause.stage.clone(),
            reason: pause.reason.clone(),
            seconds: self
                .lasting
                .map(|lasting| u32::try_from(lasting.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)),
        };
        let work = async { Ok(store.pause_stage(&pause).await?) };
        let effect = |(): &()| Effect::Paused(pause.stage.clone());
        recorded(context, &store, &action, requester(&pause.paused_by, None), effect, work).await?;
        context.output.result(pause, json::StagePause::from, view::person_pause);
        Ok(Exit::Success)
    }
}
