//! `operator dead-letters replay`: an operation, which an extractor carries out; a kill at any instant does no harm.

use std::{ops::RangeInclusive, time::Duration};

use clap::Args;
use shared::{
    operations::{Action, Careful},
    store::{DeadLetterFilter, Store},
};

use super::{
    super::{confirmation::Confirmation, recorded::requester},
    filter::stage_parser,
    follow::Follower,
    selection::{Selection, explain_no_match},
};
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json,
    view::{ReplayPreview, describe_replay},
};

/// What a program reads.
const JSON: &str = r#"JSON: {"replay_id", "letters", "done", "returned_same", "returned_different", "pending", "not_sent",
"cured_by", "ending"}; with --dry-run {"would_send", "held", "groups": [{"fingerprint", "letters", …}, …]}"#;

/// Send dead letters back to their stage: all that match, oldest first
///
/// Each becomes a new message with the same body. It goes to the stage's replay queue, which a worker reads while it has no live
/// work. Held dead letters are sent only if named by number. An extractor carries it out, and this command follows: it goes on
/// without the command, `operator operations stop ID` stops it, and `operator operations show ID` says how far it is. Where no
/// extractor takes it on within seconds, this command carries it out itself. Whoever is killed at any instant loses nothing, and
/// somebody else goes on.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Replay {
    #[command(flatten)]
    selection: Selection,
    /// Only count: a replay with the same flags would send as many
    #[arg(long)]
    dry_run: bool,
    /// Send at most N
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    limit: Option<i64>,
    /// Send at most N per second, such as 20 or 0.5
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// Send to this stage instead of their own
    #[arg(long, value_name = "STAGE", value_parser = stage_parser())]
    to: Option<String>,
    /// Send in growing batches: 1, 2, 5, 10, …, each after the results of the last; exits 3 if it stops by itself
    #[arg(long)]
    canary: bool,
    /// Stop if more than this share of a batch fails again
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share, requires = "canary")]
    tolerate: f64,
    /// Stop if a batch has no results for so long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration, requires = "canary")]
    patience: Duration,
    #[command(flatten)]
    confirmation: Confirmation,
}

impl Replay {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter = self.selection.filter(context.clock.now())?;
        let preview = self.preview(&store, &filter).await?;
        let described = describe_replay(&preview);
        if self.dry_run {
            let text = |_: &_| format!("would send back {described}");
            context.output.result(preview, json::ReplayPreview::from, text);
            return Ok(Exit::Success);
        }
        let to = self.to.as_ref().map_or("its own stage".to_owned(), |stage| format!("the {stage}"));
        let how = if self.canary { " in growing batches" } else { "" };
        self.confirmation.ask_or_preview(&format!("Send back {described} to {to}{how}?"))?;
        let careful = Careful { tolerate: self.tolerate, patience: self.patience.as_secs_f64() };
        let action = Action::Replay {
            filter: filter.clone(),
            to: self.to,
            limit: self.limit,
            rate: self.rate,
            canary: self.canary.then_some(careful),
            exactly: false,
        };
        let requester = requester(&self.confirmation.by, Some(preview.would_send));
        Follower::new(context, &store, &filter).carry_out(&action, requester).await
    }

    async fn preview(&self, store: &Store, filter: &DeadLetterFilter) -> Result<ReplayPreview, Error> {
        let would_send = store.count_replay(filter, self.limit).await?;
        if would_send == 0 {
            return Err(explain_no_match(store, filter).await?);
        }
        // Those named by number are sent though they are held.
        let (held, sent) = if filter.ids.is_some() {
            (0, filter.clone())
        } else {
            (store.count_dead_letters(&filter.in_states(&["held"])).await?, filter.in_states(&["dead"]))
        };
        Ok(ReplayPreview { would_send, held, groups: store.dead_letter_groups(&sent, None).await? })
    }
}

fn rate(text: &str) -> Result<f64, String> {
    within(text, 0.001..=100_000.0)
}

fn share(text: &str) -> Result<f64, String> {
    within(text, 0.0..=1.0)
}

fn within(text: &str, range: RangeInclusive<f64>) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("write a number from {} to {}", range.start(), range.end()))
}
