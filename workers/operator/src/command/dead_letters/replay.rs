//! `operator dead-letters replay`: `dead_letters::replay` carries the order out; a kill at any instant does no harm.

use std::{ops::RangeInclusive, time::Duration};

use clap::Args;
use shared::{
    dead_letters::{self, Canary, Order},
    store::{DeadLetterFilter, ReplayReport, Store},
    topology::StageInfo,
};

use super::{
    super::confirmation::Confirmation,
    filter::{in_states, stage_parser},
    selection::{Selection, explain_no_match},
};
use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json, output,
    progress::ReplayProgress,
    view::{ReplayPreview, describe_replay, format::count, replay_report},
};

/// What a program reads.
const JSON: &str = r#"JSON: {"replay_id", "letters", "done", "returned_same", "returned_different", "pending", "not_sent",
"cured_by", "ending"}; with --dry-run {"would_send", "held", "groups": [{"fingerprint", "letters", …}, …]}"#;

/// Send dead letters back to their stage: all that match, oldest first
///
/// Each becomes a new message with the same body. It goes to the stage's replay queue, which a worker reads while it has no live
/// work. Held dead letters are sent only if named by number. A replay that is killed at any instant loses nothing and has one
/// effect: a finalizer finishes what was begun within a minute.
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
        let target = self.to.as_deref().and_then(StageInfo::find);
        let to = target.map_or("its own stage".to_owned(), |stage| format!("the {}", stage.name));
        let how = if self.canary { " in growing batches" } else { "" };
        self.confirmation.ask_or_preview(&format!("Send back {described} to {to}{how}?"))?;
        let order = Order {
            filter,
            target,
            limit: self.limit,
            rate: self.rate,
            body: None,
            canary: self.canary.then_some(Canary { tolerate: self.tolerate, patience: self.patience }),
            by: self.confirmation.by,
        };
        carry_out(context, &store, &order).await
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
            (store.count_dead_letters(&in_states(filter, &["held"])).await?, in_states(filter, &["dead"]))
        };
        Ok(ReplayPreview { would_send, held, groups: store.dead_letter_groups(&sent).await? })
    }
}

/// Replays, shows the progress, and reports the results.
pub(super) async fn carry_out(context: &Context, store: &Store, order: &Order) -> Result<Exit, Error> {
    let broker = context.connect().await?;
    let mut progress = ReplayProgress::new(context.output.json);
    let mut latest = ReplayReport::default();
    let replaying = dead_letters::replay(store, &broker.announcer, &context.clock, order, |report| {
        progress.show(report);
        latest = report.clone();
    });
    let ended = tokio::select! {
        ended = replaying => ended,
        _ = tokio::signal::ctrl_c() => {
            progress.clear();
            output::error(&format!(
                "replay {} was interrupted: a finalizer finishes what was begun within a minute and leaves the rest; \
                 `operator dead-letters report` shows the results",
                latest.replay_id
            ));
            return Ok(Exit::Interrupted);
        }
    };
    progress.clear();
    let Some(replay) = ended? else { return Err(explain_no_match(store, &order.filter).await?) };
    context.output.result(replay.report, json::ReplayReport::from, replay_report);
    if let Some(why) = replay.stopped {
        let left = count(store.count_replay(&order.filter, None).await?, "dead letter");
        output::error(&format!("the replay stopped by itself: {why}; {left} still match"));
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

fn within(text: &str, range: RangeInclusive<f64>) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("write a number from {} to {}", range.start(), range.end()))
}
