//! Which dead letters a command is about, as flags.

use chrono::{DateTime, Utc};
use clap::{Args, builder::PossibleValuesParser};
use shared::{
    store::{DEAD_LETTER_STATES, DeadLetterFilter},
    topology::all_stages,
    view::Moment,
};

use super::fingerprint::Fingerprint;

/// The classes of failures.
const CLASSES: [&str; 5] = ["transient", "rate-limited", "auth", "outage", "permanent"];

/// Parses a stage's name; an unknown one is answered with the known ones.
pub(super) fn stage_parser() -> PossibleValuesParser {
    all_stages().map(|stage| stage.name).collect::<Vec<_>>().into()
}

/// The flags that most commands on dead letters have.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which dead letters (all given filters must match)")]
pub(super) struct FilterFlags {
    /// Of this stage
    #[arg(long, value_name = "STAGE", value_parser = stage_parser())]
    stage: Option<String>,
    /// Of this failure class
    #[arg(long, value_name = "CLASS", value_parser = PossibleValuesParser::from(CLASSES))]
    class: Option<String>,
    /// With this failure code, such as `helix.server_error`
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Fingerprint prefix
    #[arg(long, visible_alias = "group", value_name = "PREFIX")]
    fingerprint: Option<Fingerprint>,
    /// Of this pull
    #[arg(long, value_name = "PULL")]
    pull: Option<i64>,
    /// Of a chunk with this channel, by its id
    #[arg(long, value_name = "ID")]
    channel: Option<String>,
    /// Of a chunk with this game, by its id
    #[arg(long, value_name = "ID")]
    game: Option<String>,
    /// Last failed since this time: 2026-01-31T12:00:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Last failed before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// In these states; default: those in their queue
    #[arg(long, value_name = "STATE", num_args = 1.., value_delimiter = ',', value_parser = PossibleValuesParser::from(DEAD_LETTER_STATES))]
    state: Vec<String>,
    /// With these numbers
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',')]
    id: Vec<i64>,
}

impl FilterFlags {
    /// The filter they make.
    pub(super) fn filter(&self, now: DateTime<Utc>) -> DeadLetterFilter {
        let time = |moment: Option<Moment>| moment.map(|moment| moment.time(now));
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
