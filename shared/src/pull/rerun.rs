//! A past pull, once more from its stored pages: Twitch's list of streams is not asked for again.

use crate::{
    clock::Clock,
    failure::Failure,
    runtime::Announcer,
    schema::{ChannelsFilled, ChunkStored, GamesFilled, PullId},
    store::{Rerun, RerunFrom, Store},
    topology::{CHANNEL_ENRICHER, FINALIZER, GAME_ENRICHER},
};

/// Sends a pull that has come to its end through its stages again. What was written of it is written over, by the same
/// keys; its end is told again.
///
/// The database first: what a crash keeps from being announced stands still, and the finalizer's watch announces it.
pub async fn rerun(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    pull: PullId,
    from: RerunFrom,
    by: &str,
) -> Result<Rerun, Failure> {
    let rerun = store.rerun(pull, from, by, clock.now()).await?;
    let games = rerun.without_games.iter().map(|chunk| GAME_ENRICHER.request(&ChunkStored(*chunk)));
    let channels = rerun.without_channels.iter().map(|chunk| CHANNEL_ENRICHER.request(&GamesFilled(*chunk)));
    let merges = rerun.unmerged.iter().map(|chunk| FINALIZER.request(&ChannelsFilled(*chunk)));
    announcer.announce(games.chain(channels).chain(merges).collect()).await?;
    Ok(rerun)
}
