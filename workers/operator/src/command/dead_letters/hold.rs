//! `operator dead-letters hold`.

use clap::Args;
use shared::{
    operations::{Action, Effect},
    version::Version,
};

use super::{
    super::{
        confirmation::Confirmation,
        recorded::{recorded, requester},
    },
    selection::{Selection, count_matching},
};
use crate::{context::Context, error::Error, exit::Exit, json, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"letters"}: how many were held"#;

/// Hold dead letters: a replay skips them unless it names them by number
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Hold {
    #[command(flatten)]
    selection: Selection,
    /// Release them when a finalizer of this build or a newer one runs: 1.2.0, or 1.2.0+20261125 to name the day of its
    /// commit too. A prerelease such as 1.2.0-rc.1 is older than 1.2.0
    #[arg(long, value_name = "VERSION")]
    until_build: Option<Version>,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Hold {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter = self.selection.filter(context.clock.now())?;
        let matching = count_matching(&store, &filter).await?;
        self.confirmation.ask(&format!("Hold {}?", count(matching, "dead letter")))?;
        let (build, by) = (self.until_build.as_ref().map(Version::to_string), &self.confirmation.by);
        let now = context.clock.now();
        let work = async { Ok(store.hold_dead_letters(&filter, build.as_deref(), by, now).await?) };
        let action = Action::Hold { filter: filter.clone(), until_build: build.clone() };
        let effect = |held: &usize| Effect::Held(*held);
        let held = recorded(context, &store, &action, requester(by, Some(matching)), effect, work).await?;
        let until = build.map_or_else(String::new, |build| format!(" until build {build} runs"));
        context.output.result(
            held,
            |dead_letters| json::Held { letters: dead_letters },
            |held| format!("{} held{until}", count(*held, "dead letter")),
        );
        Ok(Exit::Success)
    }
}
