//! The watch: a pull that stands still is picked up, and one that cannot be picked up is failed with the cause.
//!
//! What stands still is announced again where nothing of it waits in a queue: it was lost between a commit and a
//! publish, or by somebody's hand. What waits in a queue needs a worker, not another message.

use std::time::Duration;

use chrono::TimeDelta;
use shared::{
    clock::Clock,
    failure::Failure,
    runtime::{Outbox, QueueDepth, Stop},
    schema::{ChannelsFilled, ChunkStored, GamesFilled, PullRequested},
    store::{Stalled, Store},
    topology::{Announcement, CHANNEL_ENRICHER, EXTRACTOR, FINALIZER, GAME_ENRICHER, StageInfo},
    work,
};
use tokio::time::sleep;

/// How often in a row a pull is picked up in vain before it is failed.
const MOST_RESCUES: i32 = 3;
/// The longest time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Keeps watch until told to stop.
pub(crate) async fn run(store: &Store, clock: &Clock, stalled_after: Duration, outbox: &Outbox, stop: &Stop) {
    let every = (stalled_after / 4).clamp(Duration::from_millis(100), LOOK_EVERY);
    // At the start, and after trouble, somebody may have ended a pull without coming to say so.
    let mut untold = true;
    while !stop.is_requested() {
        let looked = async {
            if untold {
                announce_again(store, clock, stalled_after, outbox).await?;
            }
            look(store, clock, stalled_after, outbox).await
        };
        untold = match looked.await {
            Ok(()) => false,
            Err(failure) => {
                tracing::warn!(code = failure.code, "the watch could not look: {failure}");
                true
            }
        };
        tokio::select! {
            () = stop.requested() => {}
            () = sleep(every) => {}
        }
    }
}

/// Announces what came to its end lately: whoever closed it may have died before telling anybody.
async fn announce_again(
    store: &Store,
    clock: &Clock,
    stalled_after: Duration,
    outbox: &Outbox,
) -> Result<(), Failure> {
    let lately = clock.now() - TimeDelta::from_std(2 * stalled_after).unwrap_or_default();
    let closed = store.closed_since(lately).await?;
    outbox.announce(closed.iter().map(|closed| FINALIZER.announce(closed)).collect()).await
}

/// One look. Harmless when a crash cuts it short: what it did not get to stands still at the next look, too.
async fn look(store: &Store, clock: &Clock, stalled_after: Duration, outbox: &Outbox) -> Result<(), Failure> {
    store.sweep_claims(clock.now()).await?;
    // First, because without the broker nothing can be announced again, and no rescue should be spent on that.
    let depths = outbox.depths().await?;
    for pull in store.stalled(stalled_after, clock.now()).await? {
        let lacks = lacks(&pull);
        let cause = cause(&lacks, &depths, stalled_after);
        if pull.rescues > MOST_RESCUES {
            tracing::error!(pull = pull.pull_id.0, "pull {} is failed: {cause}", pull.pull_id);
            let event = work::give_up_on_pull(store, pull.pull_id, &cause, None, clock.now()).await?;
            outbox.announce(event).await?;
            continue;
        }
        tracing::warn!(
            pull = pull.pull_id.0,
            rescues = pull.rescues,
            "pull {} stands still: {cause}",
            pull.pull_id
        );
        let lost = lacks.into_iter().filter(|lack| waiting(lack.stage, &depths) == 0);
        outbox.announce(lost.flat_map(|lack| lack.again).collect()).await?;
        store.rescued(pull.pull_id).await?;
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
            what: chunks(pull.without_games.len(), "lack games"),
            again,
        });
    }
    if !pull.without_channels.is_empty() {
        let again = pull
            .without_channels
            .iter()
            .map(|chunk| CHANNEL_ENRICHER.request(&GamesFilled(*chunk)))
            .collect();
        let what = chunks(pull.without_channels.len(), "lack channels");
        lacks.push(Lack { stage: CHANNEL_ENRICHER.info(), what, again });
    }
    let unmerged = pull.unmerged.iter().chain(&pull.unclosed);
    let again: Vec<_> = unmerged.map(|chunk| FINALIZER.request(&ChannelsFilled(*chunk))).collect();
    if !again.is_empty() {
        let what = chunks(pull.unmerged.len(), "are not merged");
        lacks.push(Lack { stage: FINALIZER.info(), what, again });
    }
    lacks
}

/// Messages that wait for a stage, in its queue or on its retry rungs.
fn waiting(stage: StageInfo, depths: &[QueueDepth]) -> u32 {
    let rungs = format!("{}.retry.", stage.name);
    let of_stage =
        depths.iter().filter(|queue| queue.name == stage.queue() || queue.name.starts_with(&rungs));
    of_stage.filter_map(|queue| queue.ready).sum()
}

/// Why a pull stands still, as far as can be seen from here.
fn cause(lacks: &[Lack], depths: &[QueueDepth], stalled_after: Duration) -> String {
    let stages = lacks.iter().map(|lack| {
        let queue = depths.iter().find(|queue| queue.name == lack.stage.queue());
        let workers = queue.and_then(|queue| queue.consumers).unwrap_or_default();
        let letters =
            depths.iter().find(|queue| queue.name == lack.stage.dead()).and_then(|queue| queue.ready);
        format!(
            "{} ({}: {} messages wait, {workers} workers read them, {} dead letters)",
            lack.what,
            lack.stage.name,
            waiting(lack.stage, depths),
            letters.unwrap_or_default(),
        )
    });
    format!("nothing has moved for {} s: {}", stalled_after.as_secs(), stages.collect::<Vec<_>>().join("; "))
}
