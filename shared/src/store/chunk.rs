//! Table `pull_chunk`: how far a chunk has come.

use chrono::{DateTime, Utc};

use super::{Error, Kind, Store, column::Columns};
use crate::{
    schema::{ChunkRef, PullId},
    version::VERSION,
};

/// What may still come to an enricher of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// Whether the stages before are still at it.
    pub more_to_come: bool,
    /// Chunks that they are done with, and that are not filled.
    pub unfilled: i64,
}

/// The keys of several chunks as columns, and the times of their pulls, each once: the partitions they are in.
pub(super) struct Keys {
    pub(super) pulls: Vec<i64>,
    pub(super) times: Vec<DateTime<Utc>>,
    pub(super) numbers: Vec<i32>,
    pub(super) partitions: Vec<DateTime<Utc>>,
}

pub(super) fn keys(chunks: &[ChunkRef]) -> Keys {
    let times: Vec<_> = chunks.iter().map(|chunk| chunk.pulled_at).collect();
    let mut partitions = times.clone();
    partitions.sort_unstable();
    partitions.dedup();
    Keys {
        pulls: chunks.iter().map(|chunk| chunk.pull_id.0).collect(),
        times,
        numbers: chunks.iter().map(|chunk| chunk.chunk).collect(),
        partitions,
    }
}

impl Store {
    /// What may still come of a pull to the enricher of `kind`. Cheap while pages are fetched; it counts chunks after that.
    pub async fn outlook(
        &self,
        kind: Kind,
        pull: PullId,
        pulled_at: DateTime<Utc>,
    ) -> Result<Outlook, Error> {
        let sql = "/* chunk::outlook */
            select p.extracted_at is null as extracting, c.without_games, c.without_channels
            from pull p
            cross join lateral (
                select count(*) filter (where games_at is null) as without_games,
                       count(*) filter (where games_at is not null and channels_at is null) as without_channels
                from pull_chunk where pull_id = $1 and pulled_at = $2 and p.extracted_at is not null) c
            where p.id = $1";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let row = client.query_opt(&statement, &[&pull.0, &pulled_at]).await?.ok_or(Error::NoPull(pull))?;
        let extracting: bool = row.column("extracting")?;
        let without_games: i64 = row.column("without_games")?;
        Ok(match kind {
            Kind::Game => Outlook { more_to_come: extracting, unfilled: without_games },
            Kind::Channel => Outlook {
                more_to_come: extracting || without_games > 0,
                unfilled: row.column("without_channels")?,
            },
        })
    }

    /// Notes that these chunks have all they need of `kind`, which took so many `calls` to Helix: they are put on the first
    /// chunk's account, and not on the pull's one row, for which everybody would wait. Noting it twice changes nothing.
    pub async fn filled(
        &self,
        kind: Kind,
        chunks: &[ChunkRef],
        calls: i32,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let games = "/* chunk::filled, games */
            with unfilled as (
                select c.pull_id, c.pulled_at, c.chunk, w.place
                from (select * from unnest($1::bigint[], $2::timestamptz[], $3::int[])
                               with ordinality w (pull_id, pulled_at, chunk, place)
                      order by pull_id, chunk) w
                cross join lateral (
                    select pull_id, pulled_at, chunk from pull_chunk
                    where pull_id = w.pull_id and pulled_at = w.pulled_at and chunk = w.chunk and pulled_at = any($4)
                      and games_at is null
                    limit 1 for no key update) c
            ), noted as (
                insert into provenance (pull_id, pulled_at, chunk, at, stage, action, calls, build)
                select pull_id, pulled_at, chunk, $5, 'game-enricher', case when $6 > 0 then 'FETCH' else 'ROUTE' end,
                       case place when 1 then $6 else 0 end, $7
                from unfilled
            )
            update pull_chunk c
            set games_at = $5, failed_stage = null, failed_at = null, failure = null,
                helix_calls = helix_calls + case u.place when 1 then $6::int else 0 end
            from unfilled u
            where c.pull_id = u.pull_id and c.pulled_at = u.pulled_at and c.chunk = u.chunk and c.pulled_at = any($4)";
        let channels = "/* chunk::filled, channels */
            with unfilled as (
                select c.pull_id, c.pulled_at, c.chunk, w.place
                from (select * from unnest($1::bigint[], $2::timestamptz[], $3::int[])
                               with ordinality w (pull_id, pulled_at, chunk, place)
                      order by pull_id, chunk) w
                cross join lateral (
                    select pull_id, pulled_at, chunk from pull_chunk
                    where pull_id = w.pull_id and pulled_at = w.pulled_at and chunk = w.chunk and pulled_at = any($4)
                      and channels_at is null
                    limit 1 for no key update) c
            ), noted as (
                insert into provenance (pull_id, pulled_at, chunk, at, stage, action, calls, build)
                select pull_id, pulled_at, chunk, $5, 'channel-enricher', case when $6 > 0 then 'FETCH' else 'ROUTE' end,
                       case place when 1 then $6 else 0 end, $7
                from unfilled
            )
            update pull_chunk c
            set channels_at = $5, failed_stage = null, failed_at = null, failure = null,
                helix_calls = helix_calls + case u.place when 1 then $6::int else 0 end
            from unfilled u
            where c.pull_id = u.pull_id and c.pulled_at = u.pulled_at and c.chunk = u.chunk and c.pulled_at = any($4)";
        if chunks.is_empty() {
            return Ok(());
        }
        let client = self.client().await?;
        let sql = match kind {
            Kind::Game => games,
            Kind::Channel => channels,
        };
        let statement = client.prepare_cached(sql).await?;
        let Keys { pulls, times, numbers, partitions } = keys(chunks);
        client.execute(&statement, &[&pulls, &times, &numbers, &partitions, &now, &calls, &VERSION]).await?;
        Ok(())
    }
}
