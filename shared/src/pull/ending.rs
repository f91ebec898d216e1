//! The end of a pull that cannot be finished, and its announcement.

use chrono::{DateTime, Utc};

use crate::{
    dead_letter::DeadLetter,
    failure::Failure,
    schema::{ChunkRef, PullId, StopReason},
    store::Store,
    topology::Announcement,
};

/// Notes that a stage gives up on a chunk, and records its dead letter. If that fails the pull, returns its event.
pub async fn give_up_on_chunk(
    store: &Store,
    chunk: ChunkRef,
    failure: &Failure,
    dead_letter: &DeadLetter,
    now: DateTime<Utc>,
) -> Result<Vec<Announcement>, Failure> {
    let failed = store.fail_chunk(chunk, &failure.to_string(), dead_letter, now).await?;
    event(store, chunk.pull_id, failed).await
}

/// Notes that a pull itself cannot go on, and records the dead letter that is the reason, if one is. If that fails the
/// pull, returns its event.
pub async fn give_up_on_pull(
    store: &Store,
    pull: PullId,
    why: &str,
    stop_reason: Option<StopReason>,
    dead_letter: Option<&DeadLetter>,
    now: DateTime<Utc>,
) -> Result<Vec<Announcement>, Failure> {
    let failed = store.fail_pull(pull, why, stop_reason, dead_letter, now).await?;
    event(store, pull, failed).await
}

async fn event(store: &Store, pull: PullId, ended: bool) -> Result<Vec<Announcement>, Failure> {
    let closed = if ended { store.closed(pull).await? } else { None };
    Ok(closed.iter().map(Announcement::of).collect())
}
