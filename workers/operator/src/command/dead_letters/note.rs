//! `operator dead-letters note`.

use clap::Args;
use shared::store::{DEAD_LETTER_STATES, DeadLetterFilter};

use super::fingerprint::Fingerprint;
use crate::{context::Context, error::Error, exit::Exit, json};

/// What a program reads.
const JSON: &str = r#"JSON: {"fingerprint", "note", "owner"}"#;

/// Note what is known about a group, and who owns it
///
/// The note also applies to later dead letters of the group.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Note {
    /// The group, by fingerprint prefix
    #[arg(value_name = "GROUP")]
    group: Fingerprint,
    /// What is known
    #[arg(long = "note", value_name = "TEXT", required_unless_present = "owner")]
    words: Option<String>,
    /// Who owns it
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Who notes it, for the record
    #[arg(long, value_name = "WHO", env = "USER", hide_env_values = true, default_value = "operator")]
    by: String,
}

impl Note {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter =
            DeadLetterFilter { fingerprint: Some(self.group.0.clone()), ..DeadLetterFilter::default() };
        let groups = store.dead_letter_groups(&filter.in_states(&DEAD_LETTER_STATES), None).await?;
        let fingerprint = match groups.as_slice() {
            [group] => group.fingerprint.clone(),
            [] => return Err(Error::Failed(format!("there is no group {}", self.group.0))),
            several => {
                let names: Vec<_> = several.iter().map(|group| group.fingerprint.as_str()).collect();
                let why = format!("several groups begin with {}: {}", self.group.0, names.join(", "));
                return Err(Error::Usage(why));
            }
        };
        let (note, owner) = (self.words.as_deref(), self.owner.as_deref());
        store.note_group(&fingerprint, note, owner, &self.by, context.clock.now()).await?;
        let noted = json::GroupNote { fingerprint, note: self.words, owner: self.owner };
        context.output.result(noted, |noted| noted, |noted| format!("noted for group {}", noted.fingerprint));
        Ok(Exit::Success)
    }
}
