//! Pages on their way into `pull_chunk` and `pull`: whatever has been read is stored by one statement.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio_postgres::types::Json;

use super::{Error, Extraction, Store, column::Columns, pull::EXTRACTOR_LEASE};
use crate::schema::{ChunkRef, PullId, Record, Rejected, StopReason, StreamId};

/// Most pages stored by one statement; and so the most that may be stored and not announced when their extractor dies.
pub const PAGES_TOGETHER: usize = 8;

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

/// What is only known of a page by the pages before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageFacts {
    /// Streams the pull did not have yet.
    pub stored: i32,
    /// Whether the page's next cursor was given by an earlier page of this pull.
    pub cursor_repeats: bool,
}

/// What the pages of a pull hold so far: its streams, and the cursors they gave.
#[derive(Debug, Default)]
pub struct Seen {
    streams: HashSet<StreamId>,
    cursors: HashSet<String>,
}

/// A page as it will be stored, and where the pull stands after it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Where the pull stands after it.
    pub after: Extraction,
    /// Its chunk.
    pub chunk: ChunkRef,
    /// Streams the pull did not have yet.
    pub stored: i32,
    /// Records whose stream the pull already had.
    pub duplicates: i32,
    /// Rejected records by rule.
    pub by_rule: BTreeMap<String, u32>,
    /// Why it is the last page, if it is.
    pub stop_reason: Option<StopReason>,
    /// The cursor it was asked for with.
    cursor: Option<String>,
    /// The streams, as JSON.
    page: String,
    rejects: Option<String>,
    game_ids: String,
    channel_ids: String,
    fetched: i32,
    rejected: i32,
    nul_replaced: i32,
    helix_calls: i32,
}

impl Draft {
    /// Makes the page after those of `so_far` ready to be stored, with the end of extraction where `conclude` finds one.
    /// From then on its streams and its cursor are `seen`.
    ///
    /// The last page and the end of extraction are one commit: so the journey of the last chunk through the stages is
    /// what closes the pull.
    ///
    /// # Errors
    /// Where its records cannot be written as JSON.
    pub fn new(
        so_far: &Extraction,
        seen: &mut Seen,
        page: &NewPage<'_>,
        conclude: impl FnOnce(PageFacts) -> Option<StopReason>,
    ) -> Result<Self, serde_json::Error> {
        let kept: Vec<&Record> =
            page.records.iter().filter(|record| seen.streams.insert(record.id.clone())).collect();
        let cursor_repeats = page.next_cursor.is_some_and(|cursor| !seen.cursors.insert(cursor.to_owned()));
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let (stored, rejected) = (count(kept.len()), count(page.rejects.len()));
        let duplicates = page.fetched - stored - rejected;
        let stop_reason = conclude(PageFacts { stored, cursor_repeats });
        let after = Extraction {
            pull_id: so_far.pull_id,
            pulled_at: so_far.pulled_at,
            pages: so_far.pages + 1,
            cursor: page.next_cursor.map(str::to_owned),
            last_viewers: page.records.last().map(|record| record.viewer_count).or(so_far.last_viewers),
            idle_pages: if stored + rejected > 0 { 0 } else { so_far.idle_pages + 1 },
            stored: so_far.stored + stored,
            duplicates: so_far.duplicates + duplicates,
            ended: stop_reason.is_some(),
        };
        Ok(Self {
            chunk: ChunkRef { pull_id: after.pull_id, pulled_at: after.pulled_at, chunk: after.pages },
            after,
            stored,
            duplicates,
            by_rule: by_rule(page.rejects),
            stop_reason,
            cursor: so_far.cursor.clone(),
            page: serde_json::to_string(&kept)?,
            rejects: rejects_text(page.rejects),
            game_ids: distinct(kept.iter().filter_map(|record| record.game_id.as_ref())).join(","),
            channel_ids: distinct(kept.iter().map(|record| &record.user_id)).join(","),
            fetched: page.fetched,
            rejected,
            nul_replaced: page.nul_replaced,
            helix_calls: page.helix_calls,
        })
    }
}

impl Store {
    /// What the pages of a pull hold so far, for whoever goes on with it.
    pub async fn seen(&self, so_far: &Extraction) -> Result<Seen, Error> {
        let sql = "/* page::seen */
            select next_cursor,
                   array(select record->>'id' from json_array_elements(coalesce(page, page_jsonb::json)) record) as streams
            from pull_chunk where pull_id = $1 and pulled_at = $2";
        let mut seen = Seen::default();
        if so_far.pages == 0 {
            return Ok(seen);
        }
        let client = self.client().await?;
        for row in client.query(sql, &[&so_far.pull_id.0, &so_far.pulled_at]).await? {
            seen.cursors.extend(row.column::<Option<String>>("next_cursor")?);
            let streams: Vec<String> = row.column("streams")?;
            seen.streams.extend(streams.into_iter().filter_map(|id| StreamId::try_from(id).ok()));
        }
        Ok(seen)
    }

    /// Stores pages, in the order of their chunks, as those after `so_far`, for the `extractor` that has the pull to itself.
    ///
    /// # Errors
    /// [`Error::Overtaken`] where the pull does not stand at `so_far` by now: somebody else fetches it, or a rejected
    /// record has entered it.
    pub async fn store_pages(
        &self,
        so_far: &Extraction,
        pages: &[Draft],
        extractor: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* page::store */
            with moved as (
                update pull
                set pages = pages + $6, chunks = chunks + $6, fetched = fetched + $7, stored = stored + $8,
                    rejected = rejected + $9, duplicates = duplicates + $10, nul_replaced = nul_replaced + $11,
                    helix_calls = helix_calls + $12, cursor = $13, last_viewers = $14, idle_pages = $15,
                    stop_reason = $16, extracted_at = case when $16::text is null then null else $17::timestamptz end,
                    status = case when $16::text is null or status = 'failed' then status else 'filling-games' end,
                    extractor_until = $18
                where id = $1 and started_at = $2 and pages = $3 and stored = $4 and extractor = $5
                  and extracted_at is null
                returning id)
            insert into pull_chunk (pull_id, pulled_at, stored_at, chunk, page, rejects, rejected_by_rule, game_ids,
                                    channel_ids, cursor, next_cursor, fetched, stored, rejected, duplicates)
            select moved.id, $2, $17, p.chunk, p.page::json, p.rejects, p.by_rule::jsonb, string_to_array(p.game_ids, ','),
                   string_to_array(p.channel_ids, ','), p.cursor, p.next_cursor, p.fetched, p.stored, p.rejected, p.duplicates
            from moved, unnest($19::int[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[],
                               $26::text[], $27::int[], $28::int[], $29::int[], $30::int[])
                as p (chunk, page, rejects, by_rule, game_ids, channel_ids, cursor, next_cursor, fetched, stored,
                      rejected, duplicates)";
        let Some(last) = pages.last() else { return Ok(()) };
        let sum = |of: fn(&Draft) -> i32| pages.iter().map(of).sum::<i32>();
        let ints = |of: fn(&Draft) -> i32| pages.iter().map(of).collect::<Vec<i32>>();
        let texts = |of: fn(&Draft) -> &str| pages.iter().map(of).collect::<Vec<&str>>();
        let options = |of: fn(&Draft) -> Option<&str>| pages.iter().map(of).collect::<Vec<Option<&str>>>();
        let by_rule: Vec<String> = pages.iter().map(|page| json_object(&page.by_rule)).collect();
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let stored = client
            .execute(
                &statement,
                &[
                    &so_far.pull_id.0,
                    &so_far.pulled_at,
                    &so_far.pages,
                    &so_far.stored,
                    &extractor,
                    &i32::try_from(pages.len()).unwrap_or(i32::MAX),
                    &sum(|page| page.fetched),
                    &sum(|page| page.stored),
                    &sum(|page| page.rejected),
                    &sum(|page| page.duplicates),
                    &sum(|page| page.nul_replaced),
                    &sum(|page| page.helix_calls),
                    &last.after.cursor,
                    &last.after.last_viewers,
                    &last.after.idle_pages,
                    &last.stop_reason.map(StopReason::as_str),
                    &now,
                    &(now + EXTRACTOR_LEASE),
                    &ints(|page| page.chunk.chunk),
                    &texts(|page| &page.page),
                    &options(|page| page.rejects.as_deref()),
                    &by_rule,
                    &texts(|page| &page.game_ids),
                    &texts(|page| &page.channel_ids),
                    &options(|page| page.cursor.as_deref()),
                    &options(|page| page.after.cursor.as_deref()),
                    &ints(|page| page.fetched),
                    &ints(|page| page.stored),
                    &ints(|page| page.rejected),
                    &ints(|page| page.duplicates),
                ],
            )
            .await?;
        if stored == 0 {
            return Err(Error::Overtaken { pull: so_far.pull_id, page: so_far.pages + 1 });
        }
        Ok(())
    }

    /// The last pages of a pull that may never have been announced, with how many of their records each rule has rejected.
    pub async fn untold(&self, so_far: &Extraction) -> Result<Vec<(ChunkRef, BTreeMap<String, u32>)>, Error> {
        let sql = "/* page::untold */
            select chunk, rejected_by_rule from pull_chunk
            where pull_id = $1 and pulled_at = $2 and chunk > $3 and games_at is null order by chunk";
        let before = so_far.pages - i32::try_from(PAGES_TOGETHER).unwrap_or(i32::MAX);
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let (pull_id, pulled_at): (PullId, _) = (so_far.pull_id, so_far.pulled_at);
        let untold = |row: &tokio_postgres::Row| {
            let Json(by_rule) = row.column("rejected_by_rule")?;
            Ok((ChunkRef { pull_id, pulled_at, chunk: row.column("chunk")? }, by_rule))
        };
        client.query(&statement, &[&pull_id.0, &pulled_at, &before]).await?.iter().map(untold).collect()
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

fn json_object(counts: &BTreeMap<String, u32>) -> String {
    serde_json::to_string(counts).unwrap_or_else(|_| "{}".to_owned())
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
pub(super) fn by_rule(rejects: &[Rejected]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for reject in rejects {
        *counts.entry(reject.rule.clone()).or_default() += 1;
    }
    counts
}

/// A stored page with further records at its end.
pub(super) fn joined(page: &str, more: &[&Record]) -> Result<String, serde_json::Error> {
    let mut records: Vec<Record> = serde_json::from_str(page)?;
    records.extend(more.iter().map(|record| (*record).clone()));
    serde_json::to_string(&records)
}

pub(super) fn distinct<'a, T: AsRef<str> + 'a>(ids: impl Iterator<Item = &'a T>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = ids.map(AsRef::as_ref).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
