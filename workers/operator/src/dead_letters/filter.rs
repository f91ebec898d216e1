//! Which dead letters are meant, as flags.

use std::{str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use clap::{Args, builder::PossibleValuesParser};
use shared::{
    store::{DEAD_LETTER_STATES, DeadLetterFilter, Store},
    topology::{STAGES, StageInfo},
};

use crate::error::Error;

/// The classes of failures.
const CLASSES: [&str; 5] = ["transient", "rate-limited", "auth", "outage", "permanent"];

/// The parser of a stage's name, which names those there are when it is none.
pub(super) fn stage_parser() -> PossibleValuesParser {
    STAGES.iter().map(|stage| stage.name).into()
}

/// The stage of a name that [`stage_parser`] took.
pub(super) fn stage(name: Option<&str>) -> Option<StageInfo> {
    name.and_then(StageInfo::find)
}

/// Flags that every command on dead letters has.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which dead letters (all that is given must hold)")]
pub(super) struct FilterFlags {
    /// Of this stage
    #[arg(long, value_name = "STAGE", value_parser = stage_parser())]
    stage: Option<String>,
    /// Of this class of failure
    #[arg(long, value_name = "CLASS", value_parser = PossibleValuesParser::from(CLASSES))]
    class: Option<String>,
    /// Of this code, such as `helix.server_error`
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Fingerprint prefix
    #[arg(long, visible_alias = "group", value_name = "PREFIX")]
    fingerprint: Option<Fingerprint>,
    /// About this pull
    #[arg(long, value_name = "PULL")]
    pull: Option<i64>,
    /// About a chunk with this channel, by its id
    #[arg(long, value_name = "ID")]
    channel: Option<String>,
    /// About a chunk with this game, by its id
    #[arg(long, value_name = "ID")]
    game: Option<String>,
    /// Last failed since this time: 2026-01-31T12:00:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// That failed last before this
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
    /// In these states; without it, those that lie in their queue
    #[arg(long, value_name = "STATE", num_args = 1.., value_delimiter = ',', value_parser = PossibleValuesParser::from(DEAD_LETTER_STATES))]
    state: Vec<String>,
    /// These, by number
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',')]
    id: Vec<i64>,
}

/// Dead letters to do something with: named one by one, by filter, or all.
#[derive(Debug, Clone, Args)]
pub(super) struct Selection {
    /// Dead letters by number
    #[arg(value_name = "ID")]
    ids: Vec<i64>,
    #[command(flatten)]
    flags: FilterFlags,
    /// All dead letters that lie in their queue: has to be said, so that a forgotten flag does not mean it
    #[arg(long)]
    all: bool,
}

impl FilterFlags {
    /// The filter they say.
    pub(super) fn filter(&self, now: DateTime<Utc>) -> DeadLetterFilter {
        let time = |when: Option<When>| when.map(|when| when.at(now));
        DeadLetterFilter {
            ids: (!self.id.is_empty()).then(|| self.id.clone()),
            stage: self.stage.clone(),
            class: self.class.clone(),
            code: self.code.clone(),
            fingerprint: self.fingerprint.clone().map(|fingerprint| fingerprint.0),
            pull: self.pull,
            channel: self.channel.clone(),
            game: self.game.clone(),
            since: time(self.since),
            until: time(self.until),
            states: (!self.state.is_empty()).then(|| self.state.clone()),
        }
    }
}

impl Selection {
    /// The filter they say.
    ///
    /// # Errors
    /// When nothing says which dead letters are meant.
    pub(super) fn filter(&self, now: DateTime<Utc>) -> Result<DeadLetterFilter, Error> {
        let mut filter = self.flags.filter(now);
        if !self.ids.is_empty() {
            let ids = self.ids.iter().chain(filter.ids.iter().flatten());
            filter.ids = Some(ids.copied().collect());
        }
        match (filter == DeadLetterFilter::default(), self.all) {
            (true, false) => Err(Error::Usage(
                "say which dead letters: by number, by a filter such as --group or --pull, or --all".into(),
            )),
            (false, true) => Err(Error::Usage("use either --all or a filter, not both".into())),
            _ => Ok(filter),
        }
    }
}

/// Why no dead letter matches, as far as can be told.
pub(super) async fn nothing(store: &Store, filter: &DeadLetterFilter) -> Result<Error, Error> {
    let anywhere =
        DeadLetterFilter { states: Some(DEAD_LETTER_STATES.map(str::to_owned).to_vec()), ..filter.clone() };
    let mut other = Vec::new();
    for state in DEAD_LETTER_STATES {
        let of_state = DeadLetterFilter { states: Some(vec![state.to_owned()]), ..anywhere.clone() };
        match store.count_dead_letters(&of_state).await? {
            0 => {}
            letters => other.push(format!("{letters} {state}")),
        }
    }
    let told = match (&filter.ids, other.is_empty()) {
        (Some(ids), true) => {
            let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
            format!("there is no dead letter {}", ids.join(", "))
        }
        (None, true) => "no dead letter matches, in any state".to_owned(),
        (_, false) => {
            format!("no dead letter that can be meant matches; in other states: {}", other.join(", "))
        }
    };
    Ok(Error::Nothing(format!("{told}. Nothing was changed")))
}

/// A moment: a time, or so long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    At(DateTime<Utc>),
    Ago(Duration),
}

impl When {
    fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(time) => time,
            Self::Ago(duration) => chrono::TimeDelta::from_std(duration)
                .ok()
                .and_then(|duration| now.checked_sub_signed(duration))
                .unwrap_or(DateTime::UNIX_EPOCH)
                .max(DateTime::UNIX_EPOCH),
        }
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.to_utc()));
        }
        humantime::parse_duration(text)
            .map(Self::Ago)
            .map_err(|_| "write a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h or 3days")
    }
}

/// The beginning of a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(pub(super) String);

impl FromStr for Fingerprint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_lowercase();
        if (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text))
        } else {
            Err("a fingerprint is 16 hexadecimal digits, of which the first few are enough")
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        meant: Selection,
    }

    fn parse(line: &str) -> Result<DeadLetterFilter, String> {
        let words = std::iter::once("test").chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        cli.meant.filter(now()).map_err(|error| error.to_string())
    }

    fn now() -> DateTime<Utc> {
        "2026-07-12T10:42:00Z".parse().unwrap()
    }

    #[test]
    fn flags_make_a_filter() {
        let filter =
            parse("--stage finalizer --group AB12 --since 2h --until 2026-07-12T11:00:00Z --state held,dead")
                .unwrap();
        assert_eq!(filter.stage.as_deref(), Some("finalizer"));
        assert_eq!(filter.fingerprint.as_deref(), Some("ab12"));
        assert_eq!(filter.since, Some("2026-07-12T08:42:00Z".parse().unwrap()));
        assert_eq!(filter.until, Some("2026-07-12T11:00:00Z".parse().unwrap()));
        assert_eq!(filter.states, Some(vec!["held".to_owned(), "dead".to_owned()]));
        assert_eq!(parse("3 5 --id 7").unwrap().ids, Some(vec![3, 5, 7]));
        assert_eq!(parse("--all").unwrap(), DeadLetterFilter::default());
    }

    #[test]
    fn what_is_wrong_is_said_with_what_exists() {
        for (line, words) in [
            ("", "say which dead letters"),
            ("--all --pull 3", "not both"),
            ("--stage exctractor", "channel-enricher"),
            ("--class fatal", "rate-limited"),
            ("--state gone", "vanished"),
            ("--group xyz", "hexadecimal"),
            ("--since yesterday", "2h or 3days"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
