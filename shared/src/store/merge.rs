//! Merging: stream, game and channel become the rows of `pull_data`, each written once.
//!
//! The chunks are locked first, so of two who merge one at once the second finds it merged. What they need is read by one
//! query a table, joined here, and written by one COPY. COPY knows no conflicts: where a stream is there already, because
//! its chunk is merged once more, the rows are inserted, or written over.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, SubsecRound, Utc};
use deadpool_postgres::Transaction;
use serde::Serialize;
use tokio_postgres::{
    binary_copy::BinaryCopyInWriter,
    error::SqlState,
    types::{Json, Type},
};

use super::{
    Error, Store,
    chunk::{Keys, keys},
    column::Columns,
};
use crate::schema::{ChunkRef, GameId, Record};

/// What came of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// This call merged the chunk.
    Now,
    /// It was merged before.
    Before,
}

/// A game in a document.
#[derive(Debug, Serialize)]
struct Game {
    id: String,
    name: String,
    box_art_url: String,
    igdb_id: String,
}

/// A channel in a document.
#[derive(Debug, Serialize)]
struct Channel {
    id: String,
    login: String,
    display_name: String,
    profile_image_url: String,
    offline_image_url: String,
    view_count: i64,
    broadcaster_type: String,
    description: String,
    created_at: Option<String>,
}

/// The PullData document.
#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    record: &'a Record,
    game: Option<&'a Game>,
    channel: Option<&'a Channel>,
}

/// A row of `pull_data`, under the names of its columns.
#[derive(Debug, Serialize)]
struct MergedRow<'a> {
    pull_id: i64,
    pulled_at: DateTime<Utc>,
    chunk: i32,
    stream_id: &'a str,
    channel_id: &'a str,
    channel_login: &'a str,
    channel_name: &'a str,
    game_id: Option<&'a str>,
    game_name: &'a str,
    viewer_count: i32,
    language: &'a str,
    started_at: DateTime<Utc>,
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    tags: &'a [String],
    is_mature: bool,
    data: Document<'a>,
}

/// The columns, in the order in which [`copy`] writes them, and their types.
const COLUMNS: &str =
    "pull_id, pulled_at, chunk, stream_id, channel_id, channel_login, channel_name, game_id, game_name,
    viewer_count, language, started_at, type, title, tags, is_mature, data";
const TYPES: [Type; 17] = [
    Type::INT8,
    Type::TIMESTAMPTZ,
    Type::INT4,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT,
    Type::INT4,
    Type::TEXT,
    Type::TIMESTAMPTZ,
    Type::TEXT,
    Type::TEXT,
    Type::TEXT_ARRAY,
    Type::BOOL,
    Type::JSONB,
];

/// A locked chunk that is not merged, and its streams.
type Page = (ChunkRef, Vec<Record>);

impl Store {
    /// Merges chunks, in one transaction; tells for each, in the order given, whether this call did it. A row's names
    /// that Twitch left empty, as it does in a stream's first half minute, are the channel's.
    ///
    /// # Errors
    /// [`Error::NoChunk`] where one of them is not there; nothing is merged then.
    pub async fn merge(&self, chunks: &[ChunkRef], now: DateTime<Utc>) -> Result<Vec<Merged>, Error> {
        // `= any('{}')` would leave no partition out.
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        let mut client = self.client().await?;
        let mut transaction = client.transaction().await?;
        let mut locked = lock(&transaction, chunks).await?;
        let mut merged = Vec::with_capacity(chunks.len());
        let mut pages: Vec<Page> = Vec::new();
        for chunk in chunks {
            // One that is named twice is merged by its first mention.
            match locked.get_mut(chunk).ok_or(Error::NoChunk(*chunk))?.take() {
                Some(records) => {
                    merged.push(Merged::Now);
                    pages.push((*chunk, records));
                }
                None => merged.push(Merged::Before),
            }
        }
        let (games, channels) =
            tokio::try_join!(games(&transaction, &pages), channels(&transaction, &pages))?;
        let rows = rows(&pages, &games, &channels)?;
        if !copy(&mut transaction, &rows).await? {
            insert(&transaction, &rows).await?;
        }
        note(&transaction, &pages, &games, &channels, now).await?;
        transaction.commit().await?;
        Ok(merged)
    }
}

/// Locks the chunks in their order, and reads the streams of those that are not merged.
async fn lock(
    transaction: &Transaction<'_>,
    chunks: &[ChunkRef],
) -> Result<HashMap<ChunkRef, Option<Vec<Record>>>, Error> {
    // `limit 1` makes it look each chunk up by its key, whatever the planner believes of a day that has just begun.
    let sql = "/* merge::lock */
        select w.place, case when c.merged_at is null then coalesce(c.page, c.page_jsonb::json)::text end as page
        from (select * from unnest($1::bigint[], $2::timestamptz[], $3::int[])
                       with ordinality w (pull_id, pulled_at, chunk, place)
              order by pull_id, chunk) w
        cross join lateral (
            select page, page_jsonb, merged_at from pull_chunk
            where pull_id = w.pull_id and pulled_at = w.pulled_at and chunk = w.chunk and pulled_at = any($4)
            limit 1 for no key update) c";
    let Keys { pulls, times, numbers, partitions } = keys(chunks);
    let statement = transaction.prepare_cached(sql).await?;
    let mut locked = HashMap::new();
    for row in transaction.query(&statement, &[&pulls, &times, &numbers, &partitions]).await? {
        let place = usize::try_from(row.column::<i64>("place")? - 1).unwrap_or(usize::MAX);
        let Some(chunk) = chunks.get(place).copied() else { continue };
        let page: Option<&str> = row.column("page")?;
        let records = page.map(serde_json::from_str).transpose();
        locked.insert(chunk, records.map_err(|source| Error::Page { chunk, source })?);
    }
    Ok(locked)
}

/// The games of these streams that are known, by id.
async fn games(transaction: &Transaction<'_>, pages: &[Page]) -> Result<HashMap<String, Game>, Error> {
    let sql = "/* merge::games */
        select g.* from unnest($1::text[]) id
        cross join lateral (
            select game_id, name, box_art_url, igdb_id from twitch_game where game_id = id limit 1) g";
    let ids: BTreeSet<&str> =
        records(pages).filter_map(|record| Some(record.game_id.as_ref()?.as_str())).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let statement = transaction.prepare_cached(sql).await?;
    let mut games = HashMap::with_capacity(ids.len());
    for row in transaction.query(&statement, &[&ids]).await? {
        let game = Game {
            id: row.column("game_id")?,
            name: row.column("name")?,
            box_art_url: row.column("box_art_url")?,
            igdb_id: row.column("igdb_id")?,
        };
        games.insert(game.id.clone(), game);
    }
    Ok(games)
}

/// The channels of these streams that are known, by id.
async fn channels(transaction: &Transaction<'_>, pages: &[Page]) -> Result<HashMap<String, Channel>, Error> {
    let sql = "/* merge::channels */
        select c.* from unnest($1::text[]) id
        cross join lateral (
            select channel_id, login, display_name, profile_image_url, offline_image_url, view_count, broadcaster_type,
                   description, created_at
            from twitch_channel where channel_id = id limit 1) c";
    let ids: BTreeSet<&str> = records(pages).map(|record| record.user_id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let statement = transaction.prepare_cached(sql).await?;
    let mut channels = HashMap::with_capacity(ids.len());
    for row in transaction.query(&statement, &[&ids]).await? {
        let channel = Channel {
            id: row.column("channel_id")?,
            login: row.column("login")?,
            display_name: row.column("display_name")?,
            profile_image_url: row.column("profile_image_url")?,
            offline_image_url: row.column("offline_image_url")?,
            view_count: row.column("view_count")?,
            broadcaster_type: row.column("broadcaster_type")?,
            description: row.column("description")?,
            created_at: row.column::<Option<DateTime<Utc>>>("created_at")?.map(written),
        };
        channels.insert(channel.id.clone(), channel);
    }
    Ok(channels)
}

fn records(pages: &[Page]) -> impl Iterator<Item = &Record> {
    pages.iter().flat_map(|(_, records)| records)
}

/// A time as documents have it: without a fraction where there is none, with six digits where there is one.
fn written(time: DateTime<Utc>) -> String {
    let fraction = if time.timestamp_subsec_micros() == 0 { "" } else { "%.6f" };
    time.format(&format!("%Y-%m-%dT%H:%M:%S{fraction}Z")).to_string()
}

fn rows<'a>(
    pages: &'a [Page],
    games: &'a HashMap<String, Game>,
    channels: &'a HashMap<String, Channel>,
) -> Result<Vec<MergedRow<'a>>, Error> {
    let mut rows = Vec::with_capacity(records(pages).count());
    for (chunk, records) in pages {
        for record in records {
            let game_id = record.game_id.as_ref().map(GameId::as_str);
            let channel = channels.get(record.user_id.as_str());
            let started_at = DateTime::parse_from_rfc3339(&record.started_at)
                .map_err(|error| Error::Page { chunk: *chunk, source: serde::de::Error::custom(error) })?;
            rows.push(MergedRow {
                pull_id: chunk.pull_id.0,
                pulled_at: chunk.pulled_at,
                chunk: chunk.chunk,
                stream_id: record.id.as_str(),
                channel_id: record.user_id.as_str(),
                channel_login: or_known(&record.user_login, channel.map(|channel| &channel.login)),
                channel_name: or_known(&record.user_name, channel.map(|channel| &channel.display_name)),
                game_id,
                game_name: &record.game_name,
                viewer_count: record.viewer_count,
                language: &record.language,
                // As PostgreSQL rounds a time that it reads.
                started_at: started_at.to_utc().round_subsecs(6),
                kind: &record.kind,
                title: &record.title,
                tags: &record.tags,
                is_mature: record.is_mature,
                data: Document { record, game: game_id.and_then(|id| games.get(id)), channel },
            });
        }
    }
    Ok(rows)
}

/// A name as the stream has it, or else as its channel has it.
fn or_known<'a>(told: &'a str, known: Option<&'a String>) -> &'a str {
    if told.is_empty() { known.map_or("", String::as_str) } else { told }
}

/// Writes the rows; false, with nothing written, where one of them is there already.
async fn copy(transaction: &mut Transaction<'_>, rows: &[MergedRow<'_>]) -> Result<bool, Error> {
    let sql = format!("/* merge::copy */ copy pull_data ({COLUMNS}) from stdin (format binary)");
    let savepoint = transaction.savepoint("copy").await?;
    let statement = savepoint.prepare_cached(&sql).await?;
    let writer = BinaryCopyInWriter::new(savepoint.copy_in(&statement).await?, &TYPES);
    let mut writer = std::pin::pin!(writer);
    let copying = async {
        for row in rows {
            writer
                .as_mut()
                .write(&[
                    &row.pull_id,
                    &row.pulled_at,
                    &row.chunk,
                    &row.stream_id,
                    &row.channel_id,
                    &row.channel_login,
                    &row.channel_name,
                    &row.game_id,
                    &row.game_name,
                    &row.viewer_count,
                    &row.language,
                    &row.started_at,
                    &row.kind,
                    &row.title,
                    &row.tags,
                    &row.is_mature,
                    &Json(&row.data),
                ])
                .await?;
        }
        writer.as_mut().finish().await
    };
    match copying.await {
        Ok(_) => {
            savepoint.commit().await?;
            Ok(true)
        }
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            savepoint.rollback().await?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes the rows, over those that are there.
async fn insert(transaction: &Transaction<'_>, rows: &[MergedRow<'_>]) -> Result<(), Error> {
    let sql = format!(
        "/* merge::insert */
        insert into pull_data ({COLUMNS})
        select {COLUMNS} from jsonb_to_recordset($1) as row (
            pull_id bigint, pulled_at timestamptz, chunk int, stream_id text, channel_id text, channel_login text,
            channel_name text, game_id text, game_name text, viewer_count int, language text, started_at timestamptz,
            type text, title text, tags text[], is_mature bool, data jsonb)
        on conflict (pull_id, stream_id, pulled_at) do update
        set data = excluded.data, channel_login = excluded.channel_login, channel_name = excluded.channel_name"
    );
    let statement = transaction.prepare_cached(&sql).await?;
    transaction.execute(&statement, &[&Json(rows)]).await?;
    Ok(())
}

/// Notes that the chunks are merged, and what they lack.
async fn note(
    transaction: &Transaction<'_>,
    pages: &[Page],
    games: &HashMap<String, Game>,
    channels: &HashMap<String, Channel>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "/* merge::note */
        update pull_chunk c
        set merged_at = $5, failed_stage = null, failed_at = null, failure = null,
            games_missing = string_to_array(w.games_missing, ','), channels_filled = w.filled, channels_missing = w.missing
        from unnest($1::bigint[], $2::timestamptz[], $3::int[], $6::text[], $7::int[], $8::int[])
            w (pull_id, pulled_at, chunk, games_missing, filled, missing)
        where c.pull_id = w.pull_id and c.pulled_at = w.pulled_at and c.chunk = w.chunk and c.pulled_at = any($4)";
    if pages.is_empty() {
        return Ok(());
    }
    let chunks: Vec<ChunkRef> = pages.iter().map(|(chunk, _)| *chunk).collect();
    let (mut games_missing, mut filled, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for (_, records) in pages {
        let wanted = records.iter().filter_map(|record| record.game_id.as_ref()).map(GameId::as_str);
        let lacking: BTreeSet<&str> = wanted.filter(|id| !games.contains_key(*id)).collect();
        games_missing.push(lacking.into_iter().collect::<Vec<_>>().join(","));
        let known = records.iter().filter(|record| channels.contains_key(record.user_id.as_str())).count();
        filled.push(i32::try_from(known).unwrap_or(i32::MAX));
        missing.push(i32::try_from(records.len() - known).unwrap_or(i32::MAX));
    }
    let Keys { pulls, times, numbers, partitions } = keys(&chunks);
    let statement = transaction.prepare_cached(sql).await?;
    transaction
        .execute(
            &statement,
            &[&pulls, &times, &numbers, &partitions, &now, &games_missing, &filled, &missing],
        )
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_fraction_only_where_there_is_one() {
        for text in ["2016-12-14T20:32:28Z", "2019-09-06T13:04:27.123456Z", "2011-03-19T15:42:22.100000Z"] {
            assert_eq!(written(text.parse().unwrap()), text);
        }
    }
}
