//! Tables `pull_chunk` and `pull_data`: chunks locked, merged and noted, in one transaction.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;

use super::{
    lookup::{channels, games},
    row::{Channel, Game, Page, rows},
    write::{copy, insert},
};
use crate::{
    schema::{ChunkRef, GameId, Record},
    store::{
        Error, Store,
        chunk::{Keys, keys},
        column::Columns,
    },
    version::VERSION,
};

/// What came of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// This call merged the chunk.
    Now,
    /// It was merged before.
    Before,
}

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
        let merged = self.merge_together(chunks, now).await;
        self.ending_frozen_copies(merged).await
    }

    async fn merge_together(&self, chunks: &[ChunkRef], now: DateTime<Utc>) -> Result<Vec<Merged>, Error> {
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

/// Notes that the chunks are merged, and what they lack.
async fn note(
    transaction: &Transaction<'_>,
    pages: &[Page],
    games: &HashMap<String, Game>,
    channels: &HashMap<String, Channel>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "/* merge::note */
        with noted as (
            insert into provenance (pull_id, pulled_at, chunk, at, stage, action, build)
            select pull_id, pulled_at, chunk, $5, 'finalizer', 'CONTENT_MODIFIED', $9
            from unnest($1::bigint[], $2::timestamptz[], $3::int[]) w (pull_id, pulled_at, chunk)
        )
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
            &[&pulls, &times, &numbers, &partitions, &now, &games_missing, &filled, &missing, &VERSION],
        )
        .await?;
    Ok(())
}
