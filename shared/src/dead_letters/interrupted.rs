//! Replays that were cut short: what was begun is finished.

use super::sending::{AT_ONCE, Sending};
use crate::{
    clock::Clock,
    failure::Failure,
    runtime::{Announcer, DeadLetterQueue},
    store::{Interrupted, Store},
    topology::StageInfo,
};

/// Finishes replays that were cut short, but for those whose queue somebody else has open: their turn comes. Returns how many
/// were finished.
///
/// # Errors
/// Fails with the first failure, once all of them were tried.
pub async fn finish_interrupted(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
) -> Result<usize, Failure> {
    let mut finished = 0;
    let mut failed = None;
    for interrupted in store.interrupted_replays(clock.now()).await? {
        match finish(store, announcer, clock, &interrupted).await {
            Ok(true) => finished += 1,
            Ok(false) => {}
            Err(failure) if DeadLetterQueue::is_in_use(&failure) => {}
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    failed.map_or(Ok(finished), Err)
}

async fn finish(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    interrupted: &Interrupted,
) -> Result<bool, Failure> {
    let id = interrupted.replay_id;
    let Some(lease) = store.take_replay_over(id, clock.now()).await? else { return Ok(false) };
    let target = interrupted.target.as_deref().and_then(StageInfo::find);
    let sending = Sending { store, announcer, clock, lease, target };
    loop {
        let dead_letters = sending.next(AT_ONCE).await?;
        if dead_letters.is_empty() {
            break;
        }
        sending.send(&dead_letters).await?;
    }
    let ending = "interrupted: what was begun is finished, the rest was not sent";
    store.end_replay(id, ending, clock.now()).await?;
    tracing::warn!(replay = id, "replay {id} was {ending}");
    Ok(true)
}
