//! Tables `pull` and `pull_chunk`: what waits for a stage, in the order in which it was announced.

use chrono::{DateTime, Utc};

use super::{Error, Store, column::Columns};
use crate::schema::{ChunkRef, PullId};

/// Something that waits for a stage, or that one of its workers has in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queued {
    /// A pull whose pages are to be fetched, and when it was asked for.
    Pull(PullId, DateTime<Utc>),
    /// A chunk, and when the stage before was done with it.
    Chunk(ChunkRef, DateTime<Utc>),
}

impl Queued {
    /// Since when it waits.
    pub const fn since(&self) -> DateTime<Utc> {
        match self {
            Self::Pull(_, since) | Self::Chunk(_, since) => *since,
        }
    }
}

impl Store {
    /// The first `limit` of what waits for a stage, of all pulls that are under way. Nothing for a stage that no pull waits
    /// for.
    pub async fn queued(&self, stage: &str, limit: i64) -> Result<Vec<Queued>, Error> {
        let pulls = "/* queued::pulls */
            select id, started_at, extracted_at is null as fetching from pull
            where status not in ('success', 'failed') order by started_at, id";
        let without_games = "/* queued::without_games */
            select chunk, stored_at as since from pull_chunk
            where pull_id = $1 and pulled_at = $2 and games_at is null and failed_stage is null
            order by since, chunk limit $3";
        let without_channels = "/* queued::without_channels */
            select chunk, games_at as since from pull_chunk
            where pull_id = $1 and pulled_at = $2 and games_at is not null and channels_at is null and failed_stage is null
            order by since, chunk limit $3";
        let unmerged = "/* queued::unmerged */
            select chunk, channels_at as since from pull_chunk
            where pull_id = $1 and pulled_at = $2 and channels_at is not null and merged_at is null and failed_stage is null
            order by since, chunk limit $3";
        let chunks = match stage {
            "game-enricher" => Some(without_games),
            "channel-enricher" => Some(without_channels),
            "finalizer" => Some(unmerged),
            _ => None,
        };
        let client = self.client().await?;
        let mut queued = Vec::new();
        for row in client.query(pulls, &[]).await? {
            let (pull_id, pulled_at) = (PullId(row.column("id")?), row.column("started_at")?);
            match chunks {
                Some(sql) => {
                    for row in client.query(sql, &[&pull_id.0, &pulled_at, &limit]).await? {
                        let chunk = ChunkRef { pull_id, pulled_at, chunk: row.column("chunk")? };
                        queued.push(Queued::Chunk(chunk, row.column("since")?));
                    }
                }
                None if stage == "extractor" && row.column("fetching")? => {
                    queued.push(Queued::Pull(pull_id, pulled_at));
                }
                None => {}
            }
        }
        queued.sort_by_key(Queued::since);
        queued.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(queued)
    }
}
