//! `operator dead-letters hold` and `release`.

use std::str::FromStr;

use clap::Args;
use serde::Serialize;

use super::{
    confirm::Confirmation,
    filter::{Selection, nothing},
};
use crate::{context::Context, error::Error, exit::Exit, text::words::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"letters"}: how many were changed"#;

/// Hold dead letters: a replay passes them over, unless it names them by number
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Hold {
    #[command(flatten)]
    meant: Selection,
    /// Release them when a finalizer of this build or a newer one runs
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
        self.consent.ask(&format!("Hold {}?", count(letters, "letter")))?;
        let until = self.until_build.as_ref().map(|version| version.0.as_str());
        let letters = store.hold_dead_letters(&filter, until, &self.consent.by, context.clock.now()).await?;
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
        self.consent.ask(&format!("Release {}?", count(letters, "letter")))?;
        let letters = store.release_dead_letters(&filter, &self.consent.by, context.clock.now()).await?;
        context.output.result(&Document { letters }, |_| format!("{} released", counted(letters)));
        Ok(Exit::Success)
    }
}

fn counted(letters: usize) -> String {
    count(i64::try_from(letters).unwrap_or(i64::MAX), "letter")
}

/// A version made of numbers, as builds have it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version(String);

impl FromStr for Version {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Vec<_> = text.split('.').collect();
        let is_number =
            |part: &&str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if (1..=3).contains(&numbers.len()) && numbers.iter().all(is_number) {
            Ok(Self(text.to_owned()))
        } else {
            Err("write a version such as 1.2.0")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_made_of_numbers() {
        for good in ["1", "1.2", "1.20.300"] {
            assert!(good.parse::<Version>().is_ok(), "{good}");
        }
        for bad in ["", "v1.2.0", "1.2.0-rc1", "1..2", "1.2.3.4", "99999999999"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
    }
}
