//! Pages on their way into `pull_chunk` and `pull`: whatever has been read is stored by one statement.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio_postgres::types::Json;

use super::{
    Error, Extraction, Store,
    column::Columns,
    draft::{Draft, Seen},
    pull::EXTRACTOR_LEASE,
};
use crate::{
    schema::{ChunkRef, PullId, Record, StopReason, StreamId},
    version::VERSION,
};

/// Most pages stored by one statement; and so the most that may be stored and not announced when their extractor dies.
pub const PAGES_TOGETHER: usize = 8;

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
                returning id
            ), received as (
                insert into provenance (pull_id, pulled_at, chunk, at, stage, action, calls, build)
                select moved.id, $2, p.chunk, $17, 'extractor', 'RECEIVE', p.calls, $33
                from moved, unnest($19::int[], $31::int[]) p (chunk, calls)
            )
            insert into pull_chunk (pull_id, pulled_at, stored_at, chunk, page, rejects, rejected_by_rule, game_ids,
                                    channel_ids, cursor, next_cursor, fetched, stored, rejected, duplicates,
                                    duplicate_records)
            select moved.id, $2, $17, p.chunk, p.page::json, p.rejects, p.by_rule::jsonb, string_to_array(p.game_ids, ','),
                   string_to_array(p.channel_ids, ','), p.cursor, p.next_cursor, p.fetched, p.stored, p.rejected,
                   p.duplicates, p.repeated::json
            from moved, unnest($19::int[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[],
                               $26::text[], $27::int[], $28::int[], $29::int[], $30::int[], $32::text[])
                as p (chunk, page, rejects, by_rule, game_ids, channel_ids, cursor, next_cursor, fetched, stored,
                      rejected, duplicates, repeated)";
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
                    &options(|page| page.next_cursor.as_deref()),
                    &ints(|page| page.fetched),
                    &ints(|page| page.stored),
                    &ints(|page| page.rejected),
                    &ints(|page| page.duplicates),
                    &ints(|page| page.helix_calls),
                    &options(|page| page.duplicate_records.as_deref()),
                    &VERSION,
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

/// A stored page with further records at its end.
pub(super) fn joined(page: &str, more: &[&Record]) -> Result<String, serde_json::Error> {
    let mut records: Vec<Record> = serde_json::from_str(page)?;
    records.extend(more.iter().map(|record| (*record).clone()));
    serde_json::to_string(&records)
}
