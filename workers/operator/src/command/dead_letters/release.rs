//! `operator dead-letters release`.

use clap::Args;

use shared::operations::{Action, Effect};

use super::{
    super::{
        confirmation::Confirmation,
        recorded::{recorded, requester},
    },
    selection::{Selection, count_matching},
};
use crate::{context::Context, error::Error, exit::Exit, json, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"letters"}: how many were released"#;

/// Release held dead letters
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Release {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Release {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter = self.selection.filter(context.clock.now())?;
        let held = filter.in_states(&["held"]);
        let matching = count_matching(&store, &held).await?;
        self.confirmation.ask(&format!("Release {}?", count(matching, "dead letter")))?;
        let (by, now) = (&self.confirmation.by, context.clock.now());
        let work = async { Ok(store.release_dead_letters(&held, by, now).await?) };
        let effect = |released: &usize| Effect::Released(*released);
        let (action, who) = (Action::Release { filter }, requester(by, Some(matching)));
        let released = recorded(context, &store, &action, who, effect, work).await?;
        context.output.result(
            released,
            |dead_letters| json::Held { letters: dead_letters },
            |released| format!("{} released", count(*released, "dead letter")),
        );
        Ok(Exit::Success)
    }
}
