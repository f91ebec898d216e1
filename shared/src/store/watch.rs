//! Pulls that have stopped moving.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Error, Store};
use crate::schema::{ChunkRef, PullId};

/// A pull in which nothing has happened for a while, and what it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stalled {
    /// The pull.
    pub pull_id: PullId,
    /// How often in a row its announcements were made again, this time included; from one again when it has moved since.
    pub rescues: i32,
    /// Whether pages are still to be fetched.
    pub extracting: bool,
    /// Chunks that lack games.
    pub without_games: Vec<ChunkRef>,
    /// Chunks that have games and lack channels.
    pub without_channels: Vec<ChunkRef>,
    /// Chunks that have both and are not merged.
    pub unmerged: Vec<ChunkRef>,
    /// The last chunk of a pull whose chunks are all merged, and which nobody has closed.
    pub unclosed: Option<ChunkRef>,
}

impl Store {
    /// Pulls under way in which nothing has happened for `after`. Each is given to one caller, and to nobody again
    /// before another `after` has passed.
    pub async fn stalled(&self, after: Duration, now: DateTime<Utc>) -> Result<Vec<Stalled>, Error> {
        let take = "/* watch::stalled, take */
            update pull p set rescued_at = $1, rescues = 1 + case when exists (
                    select from pull_chunk c
                    where c.pull_id = p.id and c.pulled_at = p.started_at
                      and greatest(c.stored_at, c.games_at, c.channels_at, c.merged_at) > rescued_at)
                then 0 else rescues end
            where status not in ('success', 'failed')
              and coalesce(rescued_at, started_at) < $2
              and not exists (
                  select from pull_chunk c
                  where c.pull_id = p.id and c.pulled_at = p.started_at
                    and greatest(c.stored_at, c.games_at, c.channels_at, c.merged_at) >= $2)
            returning id, started_at, rescues, extracted_at is null, pages";
        let waiting = "/* watch::stalled, waiting */
            select chunk, games_at is not null, channels_at is not null
            from pull_chunk where pull_id = $1 and pulled_at = $2 and merged_at is null order by chunk";
        let client = self.client().await?;
        let before = now - TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
        let mut stalled = Vec::new();
        for row in client.query(take, &[&now, &before]).await? {
            let (id, pulled_at): (i64, DateTime<Utc>) = (row.get(0), row.get(1));
            let pull_id = PullId(id);
            let mut pull = Stalled {
                pull_id,
                rescues: row.get(2),
                extracting: row.get(3),
                without_games: Vec::new(),
                without_channels: Vec::new(),
                unmerged: Vec::new(),
                unclosed: None,
            };
            let unmerged = client.query(waiting, &[&id, &pulled_at]).await?;
            for row in &unmerged {
                let chunk = ChunkRef { pull_id, pulled_at, chunk: row.get(0) };
                match (row.get(1), row.get(2)) {
                    (false, _) => pull.without_games.push(chunk),
                    (true, false) => pull.without_channels.push(chunk),
                    (true, true) => pull.unmerged.push(chunk),
                }
            }
            if unmerged.is_empty() && !pull.extracting {
                pull.unclosed = Some(ChunkRef { pull_id, pulled_at, chunk: row.get(4) });
            }
            stalled.push(pull);
        }
        Ok(stalled)
    }
}
