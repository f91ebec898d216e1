//! `operator dead-letters edit`: the last resort, off by default. What was changed, and by whom, is recorded.

use std::{fs, path::PathBuf};

use clap::Args;
use serde_json::Value;
use shared::{
    dead_letters::{self, Order},
    store::{DeadLetterDetails, DeadLetterFilter, Store},
    topology::StageInfo,
};
use similar::TextDiff;

use super::{super::confirmation::Confirmation, show};
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json, output,
    view::{readable, replay_report},
};

/// What a message is and what it is about: with another value it would be another message.
const LOCKED: [&str; 5] = ["kind", "version", "pull_id", "pulled_at", "chunk"];
/// The longest body, in lines, that a person can review.
const LONGEST: usize = 2_000;
/// Unchanged lines shown around a change.
const CONTEXT: usize = 2;

/// What a program reads.
const JSON: &str = "JSON: as `replay`";

/// Send a dead letter back with another body (off by default)
///
/// Shows what changed, records it and who changed it, and replays the dead letter with the new body. What the message is and
/// what it is about cannot be changed.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Edit {
    /// The dead letter's number
    #[arg(value_name = "ID")]
    id: i64,
    /// The new body
    #[arg(long, value_name = "FILE")]
    body: PathBuf,
    /// Required to edit
    #[arg(long = "allow-edit", env = "ALLOW_EDIT", action = clap::ArgAction::SetTrue, value_parser = clap::builder::FalseyValueParser::new())]
    allowed: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Edit {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        if !self.allowed {
            let why = "editing is off: pass --allow-edit or set ALLOW_EDIT=true. Nothing was changed";
            return Err(Error::Usage(why.into()));
        }
        let after = fs::read(&self.body)
            .map_err(|error| Error::Failed(format!("{} cannot be read: {error}", self.body.display())))?;
        let store = context.ready_store().await?;
        let dead_letter = show::find(&store, self.id).await?;
        let state = dead_letter.row.state.as_str();
        if !matches!(state, "dead" | "held") {
            let why = format!("dead letter {} is {state}, so it is not in its queue to be edited", self.id);
            return Err(Error::Failed(why));
        }
        check(&dead_letter, &after).map_err(|wrong| Error::Usage(format!("{wrong}. Nothing was changed")))?;
        let changes = diff(&dead_letter.body, &after)?;
        output::preview(&changes);
        self.confirmation.ask(&format!("Send dead letter {} back with this body?", self.id))?;
        let (by, now) = (self.confirmation.by, context.clock.now());
        // PostgreSQL stores no U+0000.
        store.note_dead_letter(self.id, &by, "edited", &changes.replace('\0', "\u{FFFD}"), now).await?;
        let order = Order {
            filter: DeadLetterFilter { ids: Some(vec![self.id]), ..DeadLetterFilter::default() },
            target: None,
            limit: None,
            rate: None,
            body: Some(after),
            canary: None,
            by,
        };
        send(context, &store, &order).await
    }
}

/// Sends it. This is no operation that others could carry out: the new body is known here alone.
async fn send(context: &Context, store: &Store, order: &Order) -> Result<Exit, Error> {
    let broker = context.connect().await?;
    let replay = dead_letters::replay(store, &broker.announcer, &context.clock, order, |_| {}).await?;
    let none = || Error::Failed("it is not in its queue any more. Nothing was changed".into());
    context.output.result(replay.ok_or_else(none)?.report, json::ReplayReport::from, replay_report);
    Ok(Exit::Success)
}

/// Whether the dead letter may have this body.
fn check(dead_letter: &DeadLetterDetails, after: &[u8]) -> Result<(), String> {
    let after: Value =
        serde_json::from_slice(after).map_err(|error| format!("the new body is not JSON: {error}"))?;
    let reads = StageInfo::find(&dead_letter.row.stage).map(|stage| stage.reads);
    if after["kind"].as_str() != reads {
        return Err(format!("kind is locked: the stage reads {}", reads.unwrap_or("nothing")));
    }
    // A field that the old body lacks, as when it is unreadable, may have any value.
    let before: Value = serde_json::from_slice(&dead_letter.body).unwrap_or_default();
    match LOCKED.iter().find(|field| !before[**field].is_null() && before[**field] != after[**field]) {
        Some(field) => {
            Err(format!("{field} is locked: it is {} and cannot become {}", before[*field], after[*field]))
        }
        None => Ok(()),
    }
}

/// What changed, as a unified diff.
fn diff(before: &[u8], after: &[u8]) -> Result<String, Error> {
    let lines = |body| readable(body).1 + "\n";
    let (before, after) = (lines(before), lines(after));
    if before.lines().count().max(after.lines().count()) > LONGEST {
        return Err(Error::Usage(format!("a body of more than {LONGEST} lines cannot be edited")));
    }
    if before == after {
        let why = "the new body says the same: `operator dead-letters replay ID` sends it back as it is";
        return Err(Error::Failed(why.into()));
    }
    Ok(TextDiff::from_lines(&before, &after).unified_diff().context_radius(CONTEXT).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_what_changed_and_its_surroundings() {
        let body = |e: &str| format!(r#"{{"a": 1, "b": 2, "c": 3, "d": {e}, "e": 5, "f": 6, "g": 7}}"#);
        let changes = diff(body("4").as_bytes(), body("\"four\"").as_bytes()).unwrap();
        let expected = [
            "@@ -3,5 +3,5 @@",
            "   \"b\": 2,",
            "   \"c\": 3,",
            "-  \"d\": 4,",
            "+  \"d\": \"four\",",
            "   \"e\": 5,",
            "   \"f\": 6,",
            "",
        ];
        assert_eq!(changes, expected.join("\n"));
        assert!(diff(b"{\"a\": 1}", b"{ \"a\":1 }").is_err(), "only spaces changed");
    }
}
