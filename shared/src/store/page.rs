//! A page on its way into `pull_data`, `pull_chunk` and `pull`: one transaction.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_postgres::types::Json;

use super::{Error, Extraction, Store, column::Columns};
use crate::schema::{ChunkRef, Record, Rejected, StopReason};

/// A validated page.
#[derive(Debug)]
pub struct NewPage<'a> {
    /// Records as received, good and bad.
    pub fetched: i32,
    /// Those that passed, in the page's order; may hold a stream twice.
    pub records: &'a [Record],
    /// Those that did not.
    pub rejects: &'a [Rejected],
    /// The cursor of the next page.
    pub next_cursor: Option<&'a str>,
    /// Characters U+0000 replaced in its texts.
    pub nul_replaced: i32,
    /// Calls to Helix made for it.
    pub helix_calls: i32,
}

/// What is only known once the rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageFacts {
    /// Streams the pull did not have yet.
    pub stored: i32,
    /// Whether the page's next cursor was given by an earlier page of this pull.
    pub cursor_repeats: bool,
}

/// A page that is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPage {
    /// Its chunk.
    pub chunk: ChunkRef,
    /// Streams the pull did not have yet.
    pub stored: i32,
    /// Records whose stream the pull already had.
    pub duplicates: i32,
    /// Why it was the last page, if it was.
    pub stop_reason: Option<StopReason>,
}

impl Store {
    /// Stores the page after those of `so_far`, with the end of extraction where `conclude` finds one.
    ///
    /// The last page and the end of extraction are one commit: so the journey of the last chunk through the stages is
    /// what closes the pull. Fails with [`Error::Overtaken`] when the pull has that page by now.
    pub async fn store_page(
        &self,
        so_far: &Extraction,
        page: &NewPage<'_>,
        now: DateTime<Utc>,
        conclude: impl FnOnce(PageFacts) -> Option<StopReason>,
    ) -> Result<StoredPage, Error> {
        let chunk =
            ChunkRef { pull_id: so_far.pull_id, pulled_at: so_far.pulled_at, chunk: so_far.pages + 1 };
        let (pull, at) = (chunk.pull_id.0, chunk.pulled_at);
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;

        let lock = "/* page::store, lock */
            select $4::text is not null and exists (
                select from pull_chunk where pull_id = $1 and pulled_at = $2 and next_cursor = $4) as cursor_repeats
            from pull where id = $1 and started_at = $2 and pages = $3 and extracted_at is null for no key update";
        let statement = transaction.prepare_cached(lock).await?;
        let overtaken = Error::Overtaken { pull: chunk.pull_id, page: chunk.chunk };
        let row = transaction.query_opt(&statement, &[&pull, &at, &so_far.pages, &page.next_cursor]).await?;
        let cursor_repeats = row.ok_or(overtaken)?.column("cursor_repeats")?;

        let mut new = insert_streams(&transaction, chunk, page.records).await?;
        let kept: Vec<&Record> =
            page.records.iter().filter(|record| new.remove(record.id.as_str())).collect();

        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let stored = count(kept.len());
        let rejected = count(page.rejects.len());
        let duplicates = page.fetched - stored - rejected;
        let stop_reason = conclude(PageFacts { stored, cursor_repeats });
        let last_viewers = page.records.last().map(|record| record.viewer_count).or(so_far.last_viewers);
        let idle_pages = if stored + rejected > 0 { 0 } else { so_far.idle_pages + 1 };

        let finish = "/* page::store, chunk */
            with chunk as (
                insert into pull_chunk (pull_id, pulled_at, chunk, page, rejects, rejected_by_rule, game_ids, channel_ids,
                                        cursor, next_cursor, fetched, stored, rejected, duplicates, stored_at)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15))
            update pull
            set pages = pages + 1, chunks = chunks + 1, fetched = fetched + $11, stored = stored + $12,
                rejected = rejected + $13, duplicates = duplicates + $14, nul_replaced = nul_replaced + $16,
                helix_calls = helix_calls + $17, cursor = $10, last_viewers = $18, idle_pages = $19,
                stop_reason = $20, extracted_at = case when $20::text is null then null else $15 end,
                status = case when $20::text is null or status = 'failed' then status else 'filling-games' end
            where id = $1";
        let statement = transaction.prepare_cached(finish).await?;
        let game_ids = distinct(kept.iter().filter_map(|record| record.game_id.as_ref()));
        let channel_ids = distinct(kept.iter().map(|record| &record.user_id));
        transaction
            .execute(
                &statement,
                &[
                    &pull,
                    &at,
                    &chunk.chunk,
                    &Json(&kept),
                    &rejects_text(page.rejects),
                    &Json(by_rule(page.rejects)),
                    &game_ids,
                    &channel_ids,
                    &so_far.cursor,
                    &page.next_cursor,
                    &page.fetched,
                    &stored,
                    &rejected,
                    &duplicates,
                    &now,
                    &page.nul_replaced,
                    &page.helix_calls,
                    &last_viewers,
                    &idle_pages,
                    &stop_reason.map(StopReason::as_str),
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(StoredPage { chunk, stored, duplicates, stop_reason })
    }

    /// How many records of a chunk each rule has rejected.
    pub async fn rejected_by_rule(&self, chunk: ChunkRef) -> Result<BTreeMap<String, u32>, Error> {
        let sql = "/* page::rejected_by_rule */
            select rejected_by_rule from pull_chunk where pull_id = $1 and pulled_at = $2 and chunk = $3";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let key = (chunk.pull_id.0, chunk.pulled_at, chunk.chunk);
        let row = client.query_opt(&statement, &[&key.0, &key.1, &key.2]).await?;
        let row = row.ok_or(Error::NoChunk(chunk))?;
        let Json(counts) = row.column("rejected_by_rule")?;
        Ok(counts)
    }
}

/// Writes the streams of a chunk that the pull does not have yet. Returns their ids.
pub(super) async fn insert_streams(
    transaction: &Transaction<'_>,
    chunk: ChunkRef,
    records: &[Record],
) -> Result<HashSet<String>, Error> {
    let insert = "/* page::store, streams */
        insert into pull_data (pull_id, pulled_at, chunk, stream_id, channel_id, channel_login, channel_name, game_id,
                               game_name, viewer_count, language, started_at, type, title, tags, is_mature)
        select $1, $2, $3, id, user_id, user_login, user_name, nullif(game_id, ''),
               game_name, viewer_count, language, started_at, type, title, tags, is_mature
        from jsonb_to_recordset($4) as record (
            id text, user_id text, user_login text, user_name text, game_id text, game_name text, viewer_count int,
            language text, started_at timestamptz, type text, title text, tags text[], is_mature bool)
        on conflict do nothing
        returning stream_id";
    let statement = transaction.prepare_cached(insert).await?;
    let key = (chunk.pull_id.0, chunk.pulled_at, chunk.chunk);
    let rows = transaction.query(&statement, &[&key.0, &key.1, &key.2, &Json(records)]).await?;
    rows.iter().map(|row| row.column("stream_id")).collect()
}

/// Rejected records as they were, from the text they are kept as.
pub(super) fn rejects(text: Option<&str>) -> Vec<Rejected> {
    let kept: Vec<Kept<'_>> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    kept.into_iter().filter_map(Kept::into_rejected).collect()
}

/// A rejected record as it is stored. Its JSON is a text within the JSON, because PostgreSQL cannot read around what made
/// some of them bad: half a surrogate pair, or U+0000.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    place: i32,
    rule: Cow<'a, str>,
    detail: Cow<'a, str>,
    raw: Cow<'a, str>,
}

impl<'a> Kept<'a> {
    fn of(rejected: &'a Rejected) -> Self {
        let Rejected { place, rule, detail, raw } = rejected;
        Self { place: *place, rule: rule.into(), detail: detail.into(), raw: raw.get().into() }
    }

    /// The record again, byte for byte.
    fn into_rejected(self) -> Option<Rejected> {
        let raw = RawValue::from_string(self.raw.into_owned()).ok()?;
        Some(Rejected {
            place: self.place,
            rule: self.rule.into_owned(),
            detail: self.detail.into_owned(),
            raw,
        })
    }
}

pub(super) fn rejects_text(rejects: &[Rejected]) -> Option<String> {
    let kept: Vec<Kept<'_>> = rejects.iter().map(Kept::of).collect();
    (!kept.is_empty()).then(|| serde_json::to_string(&kept).unwrap_or_default())
}

/// How many of these records each rule has rejected.
pub fn by_rule(rejects: &[Rejected]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for reject in rejects {
        *counts.entry(reject.rule.clone()).or_default() += 1;
    }
    counts
}

pub(super) fn distinct<'a, T: AsRef<str> + 'a>(ids: impl Iterator<Item = &'a T>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = ids.map(AsRef::as_ref).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
