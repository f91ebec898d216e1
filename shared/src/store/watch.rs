//! Pulls that have stopped moving.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::ClientWrapper;

use super::{Error, Store, column::Columns};
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
    /// before another `after` has passed. Taking one counts for nothing: see [`Store::rescued`].
    pub async fn stalled(&self, after: Duration, now: DateTime<Utc>) -> Result<Vec<Stalled>, Error> {
        let quiet = "/* watch::stalled, quiet */
            select id, started_at, rescued_at from pull
            where status not in ('success', 'failed') and coalesce(rescued_at, started_at) < $1 order by id";
        let moved = "/* watch::stalled, moved */
            select max(greatest(stored_at, games_at, channels_at, merged_at)) as moved_at
            from pull_chunk where pull_id = $1 and pulled_at = $2";
        let take = "/* watch::stalled, take */
            update pull set rescued_at = $3, rescues = case when $4 then 0 else rescues end
            where id = $1 and rescued_at is not distinct from $2 and status not in ('success', 'failed')
            returning rescues, extracted_at is null as extracting, pages";
        let client = self.client().await?;
        let before = now - TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
        let mut stalled = Vec::new();
        for row in client.query(quiet, &[&before]).await? {
            let (id, pulled_at): (i64, DateTime<Utc>) = (row.column("id")?, row.column("started_at")?);
            let rescued_at: Option<DateTime<Utc>> = row.column("rescued_at")?;
            let moved: Option<DateTime<Utc>> =
                client.query_one(moved, &[&id, &pulled_at]).await?.column("moved_at")?;
            if moved.is_some_and(|moved| moved >= before) {
                continue;
            }
            let anew = moved > rescued_at;
            // Where nothing comes back somebody else has taken it meanwhile, or it has come to its end.
            let Some(taken) = client.query_opt(take, &[&id, &rescued_at, &now, &anew]).await? else {
                continue;
            };
            let mut pull = Stalled {
                pull_id: PullId(id),
                rescues: taken.column::<i32>("rescues")? + 1,
                extracting: taken.column("extracting")?,
                without_games: Vec::new(),
                without_channels: Vec::new(),
                unmerged: Vec::new(),
                unclosed: None,
            };
            let last = ChunkRef { pull_id: pull.pull_id, pulled_at, chunk: taken.column("pages")? };
            pull.find_lacks(&client, last).await?;
            stalled.push(pull);
        }
        Ok(stalled)
    }

    /// Counts that the announcements of a stalled pull were made again. Call it once they are confirmed: who dies before that
    /// has rescued nobody.
    pub async fn rescued(&self, pull: PullId) -> Result<(), Error> {
        let sql = "/* watch::rescued */ update pull set rescues = rescues + 1 where id = $1";
        self.client().await?.execute(sql, &[&pull.0]).await?;
        Ok(())
    }
}

impl Stalled {
    /// Finds what the pull waits for; `last` is its last chunk.
    async fn find_lacks(&mut self, client: &ClientWrapper, last: ChunkRef) -> Result<(), Error> {
        let unmerged = "/* watch::stalled, unmerged */
            select chunk, games_at is not null as games, channels_at is not null as channels
            from pull_chunk where pull_id = $1 and pulled_at = $2 and merged_at is null order by chunk";
        let rows = client.query(unmerged, &[&self.pull_id.0, &last.pulled_at]).await?;
        for row in &rows {
            let chunk = ChunkRef { chunk: row.column("chunk")?, ..last };
            match (row.column("games")?, row.column("channels")?) {
                (false, _) => self.without_games.push(chunk),
                (true, false) => self.without_channels.push(chunk),
                (true, true) => self.unmerged.push(chunk),
            }
        }
        self.unclosed = (rows.is_empty() && !self.extracting).then_some(last);
        Ok(())
    }
}
