//! `operator dead-letters edit`: the last resort, off by default. What was changed, and by whom, stays with the letter.

use std::{fs, path::PathBuf};

use clap::Args;
use serde_json::Value;
use shared::{
    dead_letters::Order,
    store::{DeadLetterDetails, DeadLetterFilter},
    topology::StageInfo,
};

use super::{body, confirm::Confirmation, diff::diff, replay, show};
use crate::{context::Context, error::Error, exit::Exit, output};

/// What a message is and what it is about: another value would be another message.
const LOCKED: [&str; 5] = ["kind", "version", "pull_id", "pulled_at", "chunk"];
/// The longest diff, in lines of body: beyond that a person does not read it anyway.
const LONGEST: usize = 2_000;

/// What a program reads.
const JSON: &str = "JSON: as `replay`";

/// Send a dead letter back with another body (off by default)
///
/// Shows what changed, records it with who did it, and replays the dead letter with the new body. What the message is and what
/// it is about cannot be changed.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Edit {
    /// The dead letter's number
    #[arg(value_name = "ID")]
    id: i64,
    /// The new body
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// Without this nothing is edited
    #[arg(long = "allow-edit", env = "ALLOW_EDIT", action = clap::ArgAction::SetTrue, value_parser = clap::builder::FalseyValueParser::new())]
    allowed: bool,
    #[command(flatten)]
    consent: Confirmation,
}

impl Edit {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        if !self.allowed {
            let why =
                "editing is off: --allow-edit, or ALLOW_EDIT=true, lets it through. Nothing was changed";
            return Err(Error::Usage(why.into()));
        }
        let after = fs::read(&self.body)
            .map_err(|error| Error::Nothing(format!("{} cannot be read: {error}", self.body.display())))?;
        let store = context.ready_store().await?;
        let letter = show::find(&store, self.id).await?;
        if !matches!(letter.row.state.as_str(), "dead" | "held") {
            let why = format!(
                "dead letter {} is {}: only one that lies in its queue can be edited",
                self.id, letter.row.state
            );
            return Err(Error::Nothing(why));
        }
        check(&letter, &after).map_err(|wrong| Error::Usage(format!("{wrong}. Nothing was changed")))?;
        let changes = changes(&letter.body, &after)?;
        output::show(&changes);
        self.consent.ask(&format!("Send dead letter {} back with this body?", self.id))?;
        store
            .note_dead_letter(
                self.id,
                &self.consent.by,
                "edited",
                &changes.replace('\0', "\u{FFFD}"),
                context.clock.now(),
            )
            .await?;
        let order = Order {
            filter: DeadLetterFilter { ids: Some(vec![self.id]), ..DeadLetterFilter::default() },
            target: None,
            limit: None,
            rate: None,
            body: Some(after),
            canary: None,
            by: self.consent.by,
        };
        replay::carry_out(context, &store, &order).await
    }
}

/// Whether the dead letter may have this body.
fn check(letter: &DeadLetterDetails, after: &[u8]) -> Result<(), String> {
    let after: Value =
        serde_json::from_slice(after).map_err(|error| format!("the new body is not JSON: {error}"))?;
    let reads = StageInfo::find(&letter.row.stage).map(|stage| stage.reads);
    if after["kind"].as_str() != reads {
        return Err(format!("kind is locked: the stage reads {}", reads.unwrap_or("nothing")));
    }
    // What the old body does not say, as when it cannot be read, is free.
    let before: Value = serde_json::from_slice(&letter.body).unwrap_or_default();
    match LOCKED.iter().find(|field| !before[**field].is_null() && before[**field] != after[**field]) {
        Some(field) => {
            Err(format!("{field} is locked: it is {}, and may not be {}", before[*field], after[*field]))
        }
        None => Ok(()),
    }
}

/// What changed.
fn changes(before: &[u8], after: &[u8]) -> Result<String, Error> {
    let (before, after) = (body::shown(before).1, body::shown(after).1);
    if before.lines().count().max(after.lines().count()) > LONGEST {
        return Err(Error::Usage(format!("a body of more than {LONGEST} lines cannot be edited")));
    }
    let changes = diff(&before, &after);
    if changes.is_empty() {
        return Err(Error::Nothing(
            "the new body says the same: `replay` sends the dead letter back as it is".into(),
        ));
    }
    Ok(changes)
}
