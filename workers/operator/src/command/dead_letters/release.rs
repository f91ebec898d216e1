//! `operator dead-letters release`.

use clap::Args;

use super::{
    super::confirmation::Confirmation,
    filter::in_states,
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
        let held = in_states(&self.selection.filter(context.clock.now())?, &["held"]);
        let matching = count_matching(&store, &held).await?;
        self.confirmation.ask(&format!("Release {}?", count(matching, "dead letter")))?;
        let released = store.release_dead_letters(&held, &self.confirmation.by, context.clock.now()).await?;
        context.output.result(
            released,
            |letters| json::Held { letters },
            |released| format!("{} released", count(*released, "dead letter")),
        );
        Ok(Exit::Success)
    }
}
