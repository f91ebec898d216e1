//! Rejected records on their way into their pull after all: a rule has changed, or a setting.
//!
//! The database first: what passes enters its chunk in one transaction, chunk by chunk. Then the chunks are announced
//! again, and last the queue `streams.rejected` is made to say what the database says: a message of whose records none is
//! still rejected is taken out, one of whose records some are is replaced by one that counts those. A crash anywhere is mended
//! by doing it again: whatever is done already changes nothing.

use std::collections::HashSet;

use serde::Serialize;

use crate::{
    clock::Clock,
    failure::Failure,
    runtime::Announcer,
    schema::{ChunkRef, ChunkStored, PullId, RecordsRejected, Rejected, Validated, validate},
    store::Store,
    topology::{Announcement, GAME_ENRICHER},
};

/// Which records, and what they are validated with.
#[derive(Debug, Clone)]
pub struct Revalidation {
    /// The pull.
    pub pull: PullId,
    /// Only records this rule rejected.
    pub rule: Option<String>,
    /// Streams with fewer viewers stay rejected.
    pub min_viewers: i32,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Entered {
    /// Streams that entered the pull.
    pub entered: i64,
    /// Records that pass, whose stream the pull has already.
    pub duplicates: i64,
    /// Records that stay rejected.
    pub remaining: i64,
    /// Chunks that go through the stages once more.
    pub chunks: i64,
}

impl Revalidation {
    /// The record, if it is meant and passes.
    fn passes(&self, reject: &Rejected) -> Option<Validated> {
        let meant = self.rule.as_ref().is_none_or(|rule| *rule == reject.rule);
        meant.then(|| validate(&reject.raw, self.min_viewers).ok()).flatten()
    }
}

/// Counts what [`revalidate`] would do. Changes nothing.
pub async fn count_revalidation(
    store: &Store,
    clock: &Clock,
    meant: &Revalidation,
) -> Result<Entered, Failure> {
    enter(store, clock, meant, true).await
}

/// Validates the rejected records that are meant again, and lets those that pass enter their pull.
pub async fn revalidate(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    meant: &Revalidation,
) -> Result<Entered, Failure> {
    let report = enter(store, clock, meant, false).await?;
    let chunks = store.chunks_to_flow(meant.pull).await?;
    let announcements = chunks.iter().map(|chunk| GAME_ENRICHER.request(&ChunkStored(*chunk)));
    announcer.announce(announcements.collect()).await?;
    tidy(store, announcer, meant.pull).await?;
    Ok(report)
}

async fn enter(store: &Store, clock: &Clock, meant: &Revalidation, dry: bool) -> Result<Entered, Failure> {
    let mut report = Entered::default();
    for chunk in store.chunks_with_rejects(meant.pull).await? {
        let revalidated = store.revalidate(chunk, |reject| meant.passes(reject), dry, clock.now()).await?;
        report.entered += i64::from(revalidated.entered);
        report.duplicates += i64::from(revalidated.duplicates);
        report.remaining += i64::from(revalidated.remaining);
        report.chunks += i64::from(revalidated.entered > 0);
    }
    Ok(report)
}

/// Makes the queue say of a pull's rejected records what the database says.
async fn tidy(store: &Store, announcer: &Announcer, pull: PullId) -> Result<(), Failure> {
    let queue = announcer.open_rejects(|message| message.chunk.pull_id == pull).await?;
    let mut said: HashSet<ChunkRef> = HashSet::new();
    for (place, message) in queue.messages().enumerate() {
        let by_rule = store.rejected_by_rule(message.chunk).await?;
        if !by_rule.is_empty() && by_rule == message.by_rule {
            said.insert(message.chunk);
            continue;
        }
        if !by_rule.is_empty() && said.insert(message.chunk) {
            let message = RecordsRejected { chunk: message.chunk, by_rule };
            announcer.announce(vec![Announcement::of(&message)]).await?;
        }
        queue.remove(place).await?;
    }
    queue.close().await
}
