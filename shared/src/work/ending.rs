//! The end of a pull that cannot be finished, and its announcement.

use chrono::{DateTime, Utc};

use crate::{
    failure::Failure,
    schema::{ChunkRef, PullId, StopReason},
    store::Store,
    topology::Announcement,
};

/// Notes that a stage gives up on a chunk. If that fails the pull, returns its event.
pub async fn give_up_on_chunk(
    store: &Store,
    chunk: ChunkRef,
    stage: &str,
    failure: &Failure,
    now: DateTime<Utc>,
) -> Result<Vec<Announcement>, Failure> {
    let failed = store.fail_chunk(chunk, stage, &failure.to_string(), now).await?;
    event(store, chunk.pull_id, failed).await
}

/// Notes that a pull itself cannot go on. If that fails it, returns its event.
pub async fn give_up_on_pull(
    store: &Store,
    pull: PullId,
    why: &str,
    stop_reason: Option<StopReason>,
    now: DateTime<Utc>,
) -> Result<Vec<Announcement>, Failure> {
    let failed = store.fail_pull(pull, why, stop_reason, now).await?;
    event(store, pull, failed).await
}

async fn event(store: &Store, pull: PullId, ended: bool) -> Result<Vec<Announcement>, Failure> {
    let closed = if ended { store.closed(pull).await? } else { None };
    Ok(closed.iter().map(Announcement::of).collect())
}
