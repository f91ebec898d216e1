//! `operator dead-letters note`.

use clap::Args;
use serde::Serialize;
use shared::store::{DEAD_LETTER_STATES, DeadLetterFilter};

use super::filter::Fingerprint;
use crate::{context::Context, error::Error, exit::Exit};

/// What a program reads.
const JSON: &str = r#"JSON: {"fingerprint", "note", "owner"}"#;

/// Note what is known about a group, and who looks after it
///
/// Stays with the group, also for dead letters that die later.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Note {
    /// The group: the beginning of its fingerprint
    #[arg(value_name = "GROUP")]
    group: Fingerprint,
    /// What is known
    #[arg(long = "note", value_name = "TEXT", required_unless_present = "owner")]
    words: Option<String>,
    /// Who looks after it
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Who notes it, for the record
    #[arg(long, value_name = "WHO", env = "USER", hide_env_values = true, default_value = "operator")]
    by: String,
}

#[derive(Serialize)]
struct Document {
    fingerprint: String,
    note: Option<String>,
    owner: Option<String>,
}

impl Note {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter = DeadLetterFilter {
            fingerprint: Some(self.group.0.clone()),
            states: Some(DEAD_LETTER_STATES.map(str::to_owned).to_vec()),
            ..DeadLetterFilter::default()
        };
        let groups = store.dead_letter_groups(&filter).await?;
        let fingerprint = match groups.as_slice() {
            [group] => group.fingerprint.clone(),
            [] => return Err(Error::Nothing(format!("there is no group {}", self.group.0))),
            several => {
                let names: Vec<_> = several.iter().map(|group| group.fingerprint.as_str()).collect();
                let why =
                    format!("{} is the beginning of several groups: {}", self.group.0, names.join(", "));
                return Err(Error::Usage(why));
            }
        };
        let (note, owner) = (self.words.as_deref(), self.owner.as_deref());
        store.note_group(&fingerprint, note, owner, &self.by, context.clock.now()).await?;
        let document = Document { fingerprint, note: self.words, owner: self.owner };
        context.output.result(&document, |document| format!("noted for group {}", document.fingerprint));
        Ok(Exit::Success)
    }
}
