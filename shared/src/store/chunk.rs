//! Table `pull_chunk`: what a chunk still needs, and how far it has come.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Error, Kind, Store, column::Columns};
use crate::{
    schema::{ChunkRef, PullId},
    version::VERSION,
};

/// What a chunk needs before its stage is done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The ids that are unknown or stale, each once; without those that Twitch lately did not return.
    pub ids: Vec<String>,
}

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

/// The moment `age` before `now`; for an age beyond all time, the epoch.
fn before(now: DateTime<Utc>, age: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(age).ok().and_then(|age| now.checked_sub_signed(age)).unwrap_or_default()
}

impl Store {
    /// What each chunk still needs, in the order given; none for a chunk that is not there.
    ///
    /// What is known is fresh for `max_age`; zero means always ask, which is: since this chunk was stored. An id asked for in
    /// vain is asked again after `retry_missing`.
    ///
    /// `limit 1` makes it look each chunk up by its key, whatever the planner believes of a day that has just begun.
    pub async fn needs(
        &self,
        kind: Kind,
        chunks: &[ChunkRef],
        max_age: Duration,
        retry_missing: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<Need>>, Error> {
        let games = "/* chunk::needs, games */
            select w.place, array(
                select id from unnest(c.game_ids) id
                where not exists (select from twitch_game g
                                  where g.game_id = id and g.fetched_at >= least($6, c.stored_at))
                  and not exists (select from missing_game m
                                  where m.game_id = id and m.last_asked_at >= least($5, c.stored_at))) as ids
            from unnest($1::bigint[], $2::timestamptz[], $3::int[]) with ordinality w (pull_id, pulled_at, chunk, place)
            cross join lateral (
                select game_ids, stored_at from pull_chunk
                where pull_id = w.pull_id and pulled_at = w.pulled_at and chunk = w.chunk and pulled_at = any($4)
                limit 1) c";
        let channels = "/* chunk::needs, channels */
            select w.place, array(
                select id from unnest(c.channel_ids) id
                where not exists (select from twitch_channel t
                                  where t.channel_id = id and t.fetched_at >= least($6, c.stored_at))
                  and not exists (select from missing_channel m
                                  where m.channel_id = id and m.last_asked_at >= least($5, c.stored_at))) as ids
            from unnest($1::bigint[], $2::timestamptz[], $3::int[]) with ordinality w (pull_id, pulled_at, chunk, place)
            cross join lateral (
                select channel_ids, stored_at from pull_chunk
                where pull_id = w.pull_id and pulled_at = w.pulled_at and chunk = w.chunk and pulled_at = any($4)
                limit 1) c";
        // `= any('{}')` would leave no partition out.
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        let client = self.client().await?;
        let Keys { pulls, times, numbers, partitions } = keys(chunks);
        let (fresh, asked) = (before(now, max_age), before(now, retry_missing));
        let statement = client
            .prepare_cached(match kind {
                Kind::Game => games,
                Kind::Channel => channels,
            })
            .await?;
        let rows = client.query(&statement, &[&pulls, &times, &numbers, &partitions, &asked, &fresh]).await?;
        let mut needs = vec![None; chunks.len()];
        for row in rows {
            let place = usize::try_from(row.column::<i64>("place")? - 1).unwrap_or(usize::MAX);
            if let Some(need) = needs.get_mut(place) {
                *need = Some(Need { ids: row.column("ids")? });
            }
        }
        Ok(needs)
    }

    /// So many games at most that chunks of this one's pull still need and nobody asks for, each with the first chunk that
    /// does: of the first chunks that have not all they need, whoever has them in hand. See [`Store::needs`].
    pub async fn lacking_games(
        &self,
        of: ChunkRef,
        most: usize,
        max_age: Duration,
        retry_missing: Duration,
        now: DateTime<Utc>,
    ) -> Result<Vec<(String, ChunkRef)>, Error> {
        let sql = "/* chunk::lacking_games */
            select id, min(c.chunk) as chunk
            from (select chunk, unnest(game_ids) as id, stored_at
                  from (select chunk, game_ids, stored_at from pull_chunk
                        where pull_id = $1 and pulled_at = $2 and games_at is null order by chunk limit 200) unfilled) c
            where not exists (select from twitch_game g where g.game_id = c.id and g.fetched_at >= least($4, c.stored_at))
              and not exists (select from missing_game m
                              where m.game_id = c.id and m.last_asked_at >= least($3, c.stored_at))
              and not exists (select from helix_claim h where h.kind = 'game' and h.id = c.id and h.expires_at >= $6)
            group by id order by 2, 1 limit $5";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let (fresh, asked) = (before(now, max_age), before(now, retry_missing));
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows =
            client.query(&statement, &[&of.pull_id.0, &of.pulled_at, &asked, &fresh, &most, &now]).await?;
        let lacking = |row: &tokio_postgres::Row| {
            Ok((row.column("id")?, ChunkRef { chunk: row.column("chunk")?, ..of }))
        };
        rows.iter().map(lacking).collect()
    }

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
        if chunks.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "/* chunk::filled, {kind}s */
            with unfilled as (
                select c.pull_id, c.pulled_at, c.chunk, w.place
                from (select * from unnest($1::bigint[], $2::timestamptz[], $3::int[])
                               with ordinality w (pull_id, pulled_at, chunk, place)
                      order by pull_id, chunk) w
                cross join lateral (
                    select pull_id, pulled_at, chunk from pull_chunk
                    where pull_id = w.pull_id and pulled_at = w.pulled_at and chunk = w.chunk and pulled_at = any($4)
                      and {kind}s_at is null
                    limit 1 for no key update) c
            ), noted as (
                insert into provenance (pull_id, pulled_at, chunk, at, stage, action, calls, build)
                select pull_id, pulled_at, chunk, $5, '{kind}-enricher', case when $6 > 0 then 'FETCH' else 'ROUTE' end,
                       case place when 1 then $6 else 0 end, $7
                from unfilled
            )
            update pull_chunk c
            set {kind}s_at = $5, failed_stage = null, failed_at = null, failure = null,
                helix_calls = helix_calls + case u.place when 1 then $6::int else 0 end
            from unfilled u
            where c.pull_id = u.pull_id and c.pulled_at = u.pulled_at and c.chunk = u.chunk and c.pulled_at = any($4)",
            kind = kind.as_str(),
        );
        let client = self.client().await?;
        let statement = client.prepare_cached(&sql).await?;
        let Keys { pulls, times, numbers, partitions } = keys(chunks);
        client.execute(&statement, &[&pulls, &times, &numbers, &partitions, &now, &calls, &VERSION]).await?;
        Ok(())
    }
}
