//! Table `pull_chunk`: what a chunk still needs, and how far it has come.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Error, Kind, Store, column::Columns};
use crate::schema::ChunkRef;

/// What a chunk needs before its stage is done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The ids that are not known, or not fresh, and were not asked for lately in vain. Each once.
    pub ids: Vec<String>,
}

/// What came of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// This call merged the chunk.
    Now,
    /// It was merged before.
    Before,
}

/// The keys of several chunks as columns, and the times of their pulls, each once: the partitions they are in.
struct Keys {
    pulls: Vec<i64>,
    times: Vec<DateTime<Utc>>,
    numbers: Vec<i32>,
    partitions: Vec<DateTime<Utc>>,
}

fn keys(chunks: &[ChunkRef]) -> Keys {
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
        let rows = match kind {
            Kind::Game => {
                let statement = client.prepare_cached(games).await?;
                client.query(&statement, &[&pulls, &times, &numbers, &partitions, &asked, &fresh]).await?
            }
            Kind::Channel => {
                let statement = client.prepare_cached(channels).await?;
                client.query(&statement, &[&pulls, &times, &numbers, &partitions, &asked, &fresh]).await?
            }
        };
        let mut needs = vec![None; chunks.len()];
        for row in rows {
            let place = usize::try_from(row.column::<i64>("place")? - 1).unwrap_or(usize::MAX);
            if let Some(need) = needs.get_mut(place) {
                *need = Some(Need { ids: row.column("ids")? });
            }
        }
        Ok(needs)
    }

    /// Notes that these chunks have all they need of `kind`. Noting it twice changes nothing.
    pub async fn filled(&self, kind: Kind, chunks: &[ChunkRef], now: DateTime<Utc>) -> Result<(), Error> {
        let games = "/* chunk::filled, games */
            with unfilled as (
                select c.pull_id, c.pulled_at, c.chunk
                from (select * from unnest($1::bigint[], $2::timestamptz[], $3::int[]) w (pull_id, pulled_at, chunk)
                      order by pull_id, chunk) w
                cross join lateral (
                    select pull_id, pulled_at, chunk from pull_chunk
                    where pull_id = w.pull_id and pulled_at = w.pulled_at and chunk = w.chunk and pulled_at = any($4)
                      and games_at is null
                    limit 1 for no key update) c)
            update pull_chunk c set games_at = $5, failed_stage = null, failed_at = null, failure = null
            from unfilled u
            where c.pull_id = u.pull_id and c.pulled_at = u.pulled_at and c.chunk = u.chunk and c.pulled_at = any($4)";
        let channels = "/* chunk::filled, channels */
            with unfilled as (
                select c.pull_id, c.pulled_at, c.chunk
                from (select * from unnest($1::bigint[], $2::timestamptz[], $3::int[]) w (pull_id, pulled_at, chunk)
                      order by pull_id, chunk) w
                cross join lateral (
                    select pull_id, pulled_at, chunk from pull_chunk
                    where pull_id = w.pull_id and pulled_at = w.pulled_at and chunk = w.chunk and pulled_at = any($4)
                      and channels_at is null
                    limit 1 for no key update) c)
            update pull_chunk c set channels_at = $5, failed_stage = null, failed_at = null, failure = null
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
        client.execute(&statement, &[&pulls, &times, &numbers, &partitions, &now]).await?;
        Ok(())
    }

    /// Merges a chunk: stream, game and channel become the PullData document of each row, in one statement. A row's names
    /// that Twitch left empty, as it does in a stream's first half minute, are the channel's.
    ///
    /// The chunk's row is locked first, so of two who merge it at once the second finds it merged.
    ///
    /// It reads by index what the chunk names and nothing else. `limit 1`, and an `on conflict` that always finds a
    /// conflict, say so: an update of the same rows would read the whole pull, and a join the whole catalogue, because
    /// the planner's statistics know nothing of a pull that has just begun.
    pub async fn merge(&self, chunk: ChunkRef, now: DateTime<Utc>) -> Result<Merged, Error> {
        let sql = "/* chunk::merge */
            with target as materialized (
                select page from pull_chunk
                where pull_id = $1 and pulled_at = $2 and chunk = $3 and merged_at is null
                for no key update
            ), merged as materialized (
                select record->>'id' as stream_id, nullif(record->>'game_id', '') as game_id,
                       g.game_id is not null as has_game, c.channel_id is not null as has_channel,
                       c.login as channel_login, c.display_name as channel_name,
                       record || jsonb_build_object(
                           'game', case when g.game_id is not null then jsonb_build_object(
                               'id', g.game_id, 'name', g.name, 'box_art_url', g.box_art_url, 'igdb_id', g.igdb_id) end,
                           'channel', case when c.channel_id is not null then jsonb_build_object(
                               'id', c.channel_id, 'login', c.login, 'display_name', c.display_name,
                               'profile_image_url', c.profile_image_url, 'offline_image_url', c.offline_image_url,
                               'view_count', c.view_count, 'broadcaster_type', c.broadcaster_type,
                               'description', c.description,
                               'created_at', replace(
                                   to_char(c.created_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '.000000', '')) end
                       ) as data
                from target, jsonb_array_elements(page) record
                left join lateral (select * from twitch_game where game_id = record->>'game_id' limit 1) g on true
                left join lateral (select * from twitch_channel where channel_id = record->>'user_id' limit 1) c on true
            ), written as (
                insert into pull_data as d (pull_id, pulled_at, chunk, stream_id, channel_id, channel_login, channel_name,
                                            game_id, game_name, viewer_count, language, started_at, type, title, tags,
                                            is_mature, data)
                select $1, $2, $3, merged.stream_id, user_id, coalesce(nullif(user_login, ''), channel_login, ''),
                       coalesce(nullif(user_name, ''), channel_name, ''), merged.game_id, game_name,
                       viewer_count, language, started_at, type, title, tags, is_mature, data
                from merged, jsonb_to_record(data) as record (
                    user_id text, user_login text, user_name text, game_name text, viewer_count int, language text,
                    started_at timestamptz, type text, title text, tags text[], is_mature bool)
                on conflict (pull_id, stream_id, pulled_at) do update
                set data = excluded.data, channel_login = excluded.channel_login, channel_name = excluded.channel_name
            )
            update pull_chunk k
            set merged_at = $4, failed_stage = null, failed_at = null, failure = null,
                games_missing = counted.games_missing, channels_filled = counted.filled,
                channels_missing = counted.missing
            from target, (
                select coalesce(array_agg(distinct game_id) filter (where not has_game and game_id is not null), '{}')
                           as games_missing,
                       count(*) filter (where has_channel) as filled,
                       count(*) filter (where not has_channel) as missing
                from merged) counted
            where k.pull_id = $1 and k.pulled_at = $2 and k.chunk = $3";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let key = (chunk.pull_id.0, chunk.pulled_at, chunk.chunk);
        let merged = client.execute(&statement, &[&key.0, &key.1, &key.2, &now]).await?;
        if merged == 1 {
            return Ok(Merged::Now);
        }
        let there = "/* chunk::merge, there */
            select from pull_chunk where pull_id = $1 and pulled_at = $2 and chunk = $3";
        let statement = client.prepare_cached(there).await?;
        client.query_opt(&statement, &[&key.0, &key.1, &key.2]).await?.ok_or(Error::NoChunk(chunk))?;
        Ok(Merged::Before)
    }
}
