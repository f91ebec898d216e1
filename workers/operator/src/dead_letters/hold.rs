//! `operator dead-letters hold` and `release`.

use clap::Args;
use serde::Serialize;
use shared::version::Version;

use super::{
    confirm::Confirmation,
    filter::{Selection, nothing},
};
use crate::{context::Context, error::Error, exit::Exit, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"letters"}: how many were changed"#;

/// Hold dead letters: a replay passes them over, unless it names them by number
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Hold {
    #[command(flatten)]
    meant: Selection,
    /// Release them when a finalizer of this build or a newer one runs: 1.2.0, or 1.2.0+20261125 to name the day of its
    /// commit too. A prerelease such as 1.2.0-rc.1 is older than 1.2.0
    #[arg(long, value_name = "VERSION")]
    until_build: Option<Version>,
    #[command(flatten)]
    consent: Confirmation,
}

/// Release held dead letters
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Release {
    #[command(flatten)]
    meant: Selection,
    #[command(flatten)]
    consent: Confirmation,
}

#[derive(Serialize)]
struct Document {
    letters: usize,
}

impl Hold {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter = self.meant.filter(context.clock.now())?;
        let letters = store.count_dead_letters(&filter).await?;
        if letters == 0 {
            return Err(nothing(&store, &filter).await?);
        }
        self.consent.ask(&format!("Hold {}?", count(letters, "dead letter")))?;
        let until = self.until_build.as_ref().map(Version::to_string);
        let letters =
            store.hold_dead_letters(&filter, until.as_deref(), &self.consent.by, context.clock.now()).await?;
        let until = until.map_or_else(String::new, |build| format!(" until build {build} runs"));
        context.output.result(&Document { letters }, |_| format!("{} held{until}", counted(letters)));
        Ok(Exit::Success)
    }
}

impl Release {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let mut filter = self.meant.filter(context.clock.now())?;
        filter.states = Some(vec!["held".to_owned()]);
        let letters = store.count_dead_letters(&filter).await?;
        if letters == 0 {
            filter.states = None;
            return Err(nothing(&store, &filter).await?);
        }
        self.consent.ask(&format!("Release {}?", count(letters, "dead letter")))?;
        let letters = store.release_dead_letters(&filter, &self.consent.by, context.clock.now()).await?;
        context.output.result(&Document { letters }, |_| format!("{} released", counted(letters)));
        Ok(Exit::Success)
    }
}

fn counted(letters: usize) -> String {
    count(i64::try_from(letters).unwrap_or(i64::MAX), "dead letter")
}
