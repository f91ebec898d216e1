//! `operator dead-letters replay`: the order is told to `dead_letters::replay`, which a kill at any instant does not harm.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use shared::{
    dead_letters::{self, Canary, Order},
    store::{DeadLetterFilter, DeadLetterGroup, ReplayReport, Store},
};

use super::{
    confirm::Confirmation,
    filter::{Selection, nothing, stage, stage_parser},
    format::causes,
    progress::Progress,
    report,
};
use crate::{context::Context, error::Error, exit::Exit, output, view::format::count};

/// What a program reads.
const JSON: &str = r#"JSON: {"replay_id", "letters", "done", "returned_same", "returned_different", "pending", "not_sent",
"cured_by", "ending"}; with --dry-run {"would_send", "held", "groups": [{"fingerprint", "letters", …}, …]}"#;

/// Send dead letters back to their stage: oldest first, and all that match
///
/// Each becomes a fresh message of the same body, linked to its letter. It goes to the stage's replay queue, which is read
/// while there is no live work. Held dead letters are sent only when named by number. A kill at any instant loses nothing and
/// has one effect: whoever comes next, at the latest a finalizer within a minute, finishes what was begun.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct Replay {
    #[command(flatten)]
    meant: Selection,
    /// Only count: a replay with the same flags would send as many
    #[arg(long)]
    dry_run: bool,
    /// Most dead letters
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    limit: Option<i64>,
    /// Most dead letters a second, such as 20 or 0.5
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// To another stage than their own
    #[arg(long, value_name = "STAGE", value_parser = stage_parser())]
    to: Option<String>,
    /// Carefully: 1, 2, 5, 10 and so on, each step after what came of the one before; exits 3 if it stops by itself
    #[arg(long)]
    canary: bool,
    /// The canary goes on while no more than this share of a step comes back
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share, requires = "canary")]
    tolerate: f64,
    /// The canary stops when nothing comes of a step for so long
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration, requires = "canary")]
    patience: Duration,
    #[command(flatten)]
    consent: Confirmation,
}

#[derive(Serialize)]
struct Count {
    would_send: i64,
    held: i64,
    groups: Vec<DeadLetterGroup>,
}

impl Replay {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let store = context.ready_store().await?;
        let filter = self.meant.filter(context.clock.now())?;
        let counted = self.count(&store, &filter).await?;
        if self.dry_run {
            context.output.result(&counted, |counted| format!("would send back {}", told(counted)));
            return Ok(Exit::Success);
        }
        let target = stage(self.to.as_deref());
        let to = target.map_or("its own stage".to_owned(), |stage| format!("the {}", stage.name));
        let how = if self.canary { ", carefully" } else { "" };
        self.consent.ask_or_preview(&format!("Send back {} to {to}{how}?", told(&counted)))?;
        let order = Order {
            filter,
            target,
            limit: self.limit,
            rate: self.rate,
            body: None,
            canary: self.canary.then_some(Canary { tolerate: self.tolerate, patience: self.patience }),
            by: self.consent.by.clone(),
        };
        carry_out(context, &store, &order).await
    }

    async fn count(&self, store: &Store, filter: &DeadLetterFilter) -> Result<Count, Error> {
        let would_send = store.count_replay(filter, self.limit).await?;
        if would_send == 0 {
            return Err(nothing(store, filter).await?);
        }
        let in_state =
            |state: &str| DeadLetterFilter { states: Some(vec![state.to_owned()]), ..filter.clone() };
        let held = match filter.ids {
            Some(_) => 0,
            None => store.count_dead_letters(&in_state("held")).await?,
        };
        let meant = if filter.ids.is_some() { filter.clone() } else { in_state("dead") };
        Ok(Count { would_send, held, groups: store.dead_letter_groups(&meant).await? })
    }
}

fn told(counted: &Count) -> String {
    let held = match counted.held {
        0 => String::new(),
        held => format!("; {} held are passed over", count(held, "dead letter")),
    };
    format!("{} ({}{held})", count(counted.would_send, "dead letter"), causes(&counted.groups))
}

/// Replays, shows how far it is, and tells how it ended.
pub(super) async fn carry_out(context: &Context, store: &Store, order: &Order) -> Result<Exit, Error> {
    let broker = context.connect().await?;
    let mut progress = Progress::fit(context.output.json);
    let mut latest = ReplayReport::default();
    let replaying = dead_letters::replay(store, &broker.announcer, &context.clock, order, |report| {
        progress.show(report);
        latest = report.clone();
    });
    let ended = tokio::select! {
        ended = replaying => ended,
        _ = tokio::signal::ctrl_c() => {
            progress.clear();
            output::complain(&format!(
                "replay {} is interrupted: a finalizer finishes what was begun within a minute and leaves the rest; \
                 `operator dead-letters report` tells what came of it",
                latest.replay_id
            ));
            return Ok(Exit::Interrupted);
        }
    };
    progress.clear();
    let Some(replay) = ended? else { return Err(nothing(store, &order.filter).await?) };
    context.output.result(&replay.report, report::text);
    if let Some(why) = replay.stopped {
        let left = count(store.count_replay(&order.filter, None).await?, "dead letter");
        output::complain(&format!(
            "the replay stopped by itself: {why}; {left} that match lie in their queue now"
        ));
        return Ok(Exit::Stopped);
    }
    Ok(Exit::Success)
}

fn rate(text: &str) -> Result<f64, String> {
    within(text, 0.001..=100_000.0)
}

fn share(text: &str) -> Result<f64, String> {
    within(text, 0.0..=1.0)
}

fn within(text: &str, range: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("write a number from {} to {}", range.start(), range.end()))
}
