//! The watch: a stalled pull is re-announced, and one that cannot go on is failed with the cause.
//!
//! What a stage lacks is announced again where it is lost, between a commit and a publish or by somebody's hand: where it
//! neither waits in a queue nor is in a worker's hand. What waits in a queue needs a worker, not another message, and a stage
//! that is paused needs its cause repaired: the pull is not to blame for either, and waits. `operator status` and
//! `operator pull --wait` say what is missing.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    failure::Failure,
    pull::give_up_on_pull,
    runtime::QueueDepth,
    schema::{ChannelsFilled, ChunkStored, GamesFilled, PullId, PullRequested},
    steering::StagePause,
    store::{RetryRow, Stalled, WorkerRow},
    topology::{Announcement, CHANNEL_ENRICHER, EXTRACTOR, FINALIZER, GAME_ENRICHER, StageInfo},
};

use crate::background::Background;

/// How often in a row a pull is picked up in vain before it is failed.
const MOST_RESCUES: i32 = 3;
/// The longest time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Most messages of a stage that are looked at among those that wait to be tried again.
const MOST_RETRIES: i64 = 10_000;
/// A message that is back from its rung for so long is in the stage's queue, in a worker's hand, or lost.
const BACK_FOR: TimeDelta = TimeDelta::minutes(1);

/// How often to look.
pub(crate) fn period(stalled_after: Duration) -> Duration {
    (stalled_after / 4).clamp(Duration::from_millis(100), LOOK_EVERY)
}

/// One look, by one of the finalizers. Harmless when a crash cuts it short: what it did not get to is still stalled at the
/// next look.
pub(crate) async fn look(all: Arc<Background>) -> Result<(), Failure> {
    let looked = all.store.if_elected("stall-watch", async {
        // At the start, and after trouble, somebody may have ended a pull without coming to say so.
        if !all.closings_told.load(Ordering::Relaxed) {
            announce_closings(&all).await?;
        }
        pick_up(&all).await
    });
    let looked = looked.await;
    all.closings_told.store(matches!(looked, Ok(Some(()))), Ordering::Relaxed);
    looked.map(|_| ())
}

/// Announces what came to its end lately: whoever closed it may have died before telling anybody.
async fn announce_closings(all: &Background) -> Result<(), Failure> {
    let lately = all.clock.now() - TimeDelta::from_std(2 * all.stalled_after).unwrap_or_default();
    let closed = all.store.closed_since(lately).await?;
    all.announcer.announce(closed.iter().map(|closed| FINALIZER.announce(closed)).collect()).await
}

/// Picks up what is stalled.
async fn pick_up(all: &Background) -> Result<(), Failure> {
    // First, because without the broker nothing can be announced again, and no rescue should be spent on that.
    let depths = all.announcer.depths().await?;
    let now = all.clock.now();
    let workers = all.store.worker_states(now).await?;
    let retries = all.store.retries(MOST_RETRIES).await?;
    let paused = all.store.stage_pauses(now).await?;
    let stages = Stages { depths, workers, paused, retries, now };
    for pull in all.store.stalled(all.stalled_after, now).await? {
        let lacks = lacks(&pull);
        let (id, after) = (pull.pull_id, all.stalled_after);
        let held_up: Vec<String> = lacks.iter().filter_map(|lack| stages.held_up(lack.stage, id)).collect();
        let lost = |lack: &Lack| stages.held_up(lack.stage, id).is_none();
        let cause = stages.cause(&lacks, after);
        if !held_up.is_empty() && !lacks.iter().any(lost) {
            tracing::info!(pull = id.0, "pull {id} waits: {}", held_up.join("; "));
            continue;
        }
        if pull.rescues > MOST_RESCUES && held_up.is_empty() {
            tracing::error!(pull = id.0, "pull {id} is failed: {cause}");
            let event = give_up_on_pull(&all.store, id, &cause, None, None, all.clock.now()).await?;
            all.announcer.announce(event).await?;
            continue;
        }
        tracing::warn!(pull = id.0, rescues = pull.rescues, "pull {id} has stalled: {cause}");
        let lost = lacks.into_iter().filter(lost);
        all.announcer.announce(lost.flat_map(|lack| lack.again).collect()).await?;
        all.store.rescued(id).await?;
    }
    Ok(())
}

/// What a pull lacks at a stage, and the announcements that would make the stage do it.
struct Lack {
    stage: StageInfo,
    what: String,
    again: Vec<Announcement>,
}

fn lacks(pull: &Stalled) -> Vec<Lack> {
    let chunks = |n: usize, lack: &str| format!("{n} chunks {lack}");
    let mut lacks = Vec::new();
    if pull.extracting {
        let again = vec![EXTRACTOR.request(&PullRequested { pull_id: pull.pull_id })];
        lacks.push(Lack { stage: EXTRACTOR.info(), what: "pages are to be fetched".into(), again });
    }
    if !pull.without_games.is_empty() {
        let again =
            pull.without_games.iter().map(|chunk| GAME_ENRICHER.request(&ChunkStored(*chunk))).collect();
        lacks.push(Lack {
            stage: GAME_ENRICHER.info(),
            what: chunks(pull.without_games.len(), "are waiting for games"),
            again,
        });
    }
    if !pull.without_channels.is_empty() {
        let again = pull
            .without_channels
            .iter()
            .map(|chunk| CHANNEL_ENRICHER.request(&GamesFilled(*chunk)))
            .collect();
        let what = chunks(pull.without_channels.len(), "are waiting for channels");
        lacks.push(Lack { stage: CHANNEL_ENRICHER.info(), what, again });
    }
    let unmerged = pull.unmerged.iter().chain(&pull.unclosed);
    let again: Vec<_> = unmerged.map(|chunk| FINALIZER.request(&ChannelsFilled(*chunk))).collect();
    if !again.is_empty() {
        let what = chunks(pull.unmerged.len(), "are waiting to be merged");
        lacks.push(Lack { stage: FINALIZER.info(), what, again });
    }
    lacks
}

/// How the stages are doing.
struct Stages {
    depths: Vec<QueueDepth>,
    /// The workers that were seen lately.
    workers: Vec<WorkerRow>,
    /// The stages that people have paused: nothing of theirs is lost.
    paused: Vec<StagePause>,
    /// Messages that failed and wait to be tried again.
    retries: Vec<RetryRow>,
    now: DateTime<Utc>,
}

impl Stages {
    /// Why what a pull lacks at a stage is not lost; none where it is in no queue and in no hand.
    fn held_up(&self, stage: StageInfo, pull: PullId) -> Option<String> {
        let name = stage.name;
        if let Some(pause) = self.paused.iter().find(|pause| pause.stage == name) {
            return Some(format!("{name} is paused {}", pause.describe()));
        }
        let workers: Vec<&WorkerRow> = self.workers.iter().filter(|worker| worker.stage == name).collect();
        if let (Some(first), true) = (workers.first(), workers.iter().all(|worker| worker.is_paused())) {
            let since = first.since.format("%F %T UTC");
            return Some(format!(
                "{name} is paused since {since}: {}",
                first.reason.as_deref().unwrap_or_default()
            ));
        }
        let in_hand: i64 = workers.iter().map(|worker| i64::from(worker.in_hand)).sum();
        if in_hand > 0 {
            return Some(format!("{name} has {in_hand} messages in hand"));
        }
        let of_pull = |retry: &&RetryRow| {
            retry.stage == name
                && retry.pull_id.is_none_or(|id| id == pull.0)
                && retry.retry_at + BACK_FOR > self.now
        };
        if let Some(latest) = self.retries.iter().filter(of_pull).max_by_key(|retry| retry.last_failed_at) {
            return Some(format!("{name} tries again what failed: {}", latest.message));
        }
        let waiting = self.waiting(stage);
        (waiting > 0)
            .then(|| format!("{waiting} messages wait for {name}, which has {} workers", workers.len()))
    }

    /// Messages that wait for a stage, in its queues or on its retry rungs.
    fn waiting(&self, stage: StageInfo) -> u32 {
        let (replay, rungs) = (stage.replay(), format!("{}.retry.", stage.name));
        let of_stage = self.depths.iter().filter(|queue| {
            queue.name == stage.queue() || queue.name == replay || queue.name.starts_with(&rungs)
        });
        of_stage.filter_map(|queue| queue.ready).sum()
    }

    /// Why a pull is stalled, as far as can be seen from here.
    fn cause(&self, lacks: &[Lack], stalled_after: Duration) -> String {
        let queue = |name: &str| self.depths.iter().find(|queue| queue.name == name);
        let stages = lacks.iter().map(|lack| {
            let workers = queue(lack.stage.queue()).and_then(|queue| queue.consumers).unwrap_or_default();
            let dead_letters = queue(&lack.stage.dead()).and_then(|queue| queue.ready).unwrap_or_default();
            let waiting = self.waiting(lack.stage);
            format!(
                "{} ({}: {waiting} messages, {workers} consumers, {dead_letters} dead letters)",
                lack.what, lack.stage.name,
            )
        });
        let stages: Vec<_> = stages.collect();
        format!("stalled for {} s: {}", stalled_after.as_secs(), stages.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn worker(reason: Option<&str>, in_hand: i32) -> WorkerRow {
        WorkerRow {
            stage: "channel-enricher".into(),
            replica: "a".into(),
            build: "1".into(),
            host: "h".into(),
            state: if reason.is_some() { "paused" } else { "consuming" }.into(),
            code: reason.map(|_| "twitch.auth".into()),
            reason: reason.map(str::to_owned),
            since: NOW,
            in_hand,
            points_left: None,
            points_limit: None,
            clock_ahead: TimeDelta::zero(),
            seen_at: NOW,
        }
    }

    fn held_up(workers: Vec<WorkerRow>, retries: Vec<RetryRow>) -> Option<String> {
        let stages = Stages { depths: Vec::new(), workers, paused: Vec::new(), retries, now: NOW };
        stages.held_up(CHANNEL_ENRICHER.info(), PullId(7))
    }

    #[test]
    fn a_stage_is_held_up_while_it_is_paused_or_has_messages_in_hand() {
        assert_eq!(held_up(Vec::new(), Vec::new()), None, "nobody is there");
        assert_eq!(held_up(vec![worker(None, 0)], Vec::new()), None, "it would take what comes");
        assert_eq!(
            held_up(vec![worker(None, 3), worker(None, 2)], Vec::new()).as_deref(),
            Some("channel-enricher has 5 messages in hand")
        );
        assert_eq!(
            held_up(vec![worker(Some("no token"), 0)], Vec::new()).as_deref(),
            Some("channel-enricher is paused since 1970-01-01 00:00:00 UTC: no token")
        );
        let one_of_two = vec![worker(Some("no token"), 0), worker(None, 0)];
        assert_eq!(held_up(one_of_two, Vec::new()), None, "the other would take what comes");
    }

    #[test]
    fn what_is_tried_again_is_not_lost_until_it_should_be_back() {
        let retry = |pull_id, retry_at| RetryRow {
            stage: "channel-enricher".into(),
            message_id: "m".into(),
            pull_id,
            chunk: None,
            attempts: 1,
            code: "helix.server_error".into(),
            message: "Twitch answered 503".into(),
            first_failed_at: NOW,
            last_failed_at: NOW,
            retry_at,
        };
        let held = held_up(Vec::new(), vec![retry(Some(7), NOW)]);
        assert_eq!(held.as_deref(), Some("channel-enricher tries again what failed: Twitch answered 503"));
        assert_eq!(held_up(Vec::new(), vec![retry(Some(8), NOW)]), None, "of another pull");
        assert_eq!(held_up(Vec::new(), vec![retry(Some(7), NOW - TimeDelta::minutes(2))]), None, "lost");
    }
}
