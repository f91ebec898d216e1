//! Rejected records, as a person asks about them, and their way into the pull after all.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use serde::Serialize;
use tokio_postgres::Row;

use super::{Error, Store, column::Columns, entering::Entering, pull, reject_text};
use crate::schema::{ChunkRef, PullId, Record, Rejected, Validated};

/// A rejected record in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedRecord {
    /// The pull.
    pub pull_id: i64,
    /// The chunk.
    pub chunk: i32,
    /// Its place in the page, from 1.
    pub place: i32,
    /// The rule that rejected it.
    pub rule: String,
    /// What was wrong, in words.
    pub detail: String,
    /// The record as Twitch sent it.
    pub raw: String,
}

/// Rejected records of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RejectedGroup {
    /// The rule.
    pub rule: String,
    /// How many records.
    pub records: i64,
    /// In how many pulls.
    pub pulls: i64,
    /// The newest of them.
    pub newest_pull: i64,
}

/// What came of validating a chunk's rejected records again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revalidated {
    /// Streams that entered the pull.
    pub entered: i32,
    /// Records that pass, whose stream the pull has already.
    pub duplicates: i32,
    /// Records that stay rejected.
    pub remaining: i32,
}

impl Store {
    /// The newest pull that has rejected records.
    pub async fn newest_with_rejects(&self) -> Result<Option<PullId>, Error> {
        let sql = "/* rejected::newest */ select max(id) as newest from pull where rejected > 0";
        Ok(self.client().await?.query_one(sql, &[]).await?.column::<Option<i64>>("newest")?.map(PullId))
    }

    /// Rejected records of a pull, of one rule or all, in the order of its pages.
    pub async fn rejected_records(
        &self,
        pull: PullId,
        rule: Option<&str>,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<RejectedRecord>, Error> {
        let sql = "/* rejected::list */
            select pull_id, chunk, place, rule, detail, raw_text from rejected_record
            where pull_id = $1 and pulled_at = $5 and ($2::text is null or rule = $2)
            order by chunk, place offset $3 limit $4";
        let client = self.client().await?;
        let at = pull::started_at(&client, pull).await?;
        let rows = client.query(sql, &[&pull.0, &rule, &offset, &limit, &at]).await?;
        rows.iter().map(rejected_record).collect()
    }

    /// Rejected records by rule, of one pull or of all, the most first.
    pub async fn rejected_groups(&self, pull: Option<PullId>) -> Result<Vec<RejectedGroup>, Error> {
        let sql = "/* rejected::groups */
            select rule, sum(records)::bigint as records, count(distinct pull_id) as pulls, max(pull_id) as newest_pull
            from rejected_by_rule
            where $1::bigint is null or (pull_id = $1 and pulled_at = $2) group by rule order by 2 desc, rule";
        let client = self.client().await?;
        let at = match pull {
            Some(pull) => Some(pull::started_at(&client, pull).await?),
            None => None,
        };
        let rows = client.query(sql, &[&pull.map(|pull| pull.0), &at]).await?;
        rows.iter()
            .map(|row| {
                Ok(RejectedGroup {
                    rule: row.column("rule")?,
                    records: row.column("records")?,
                    pulls: row.column("pulls")?,
                    newest_pull: row.column("newest_pull")?,
                })
            })
            .collect()
    }

    /// The chunks of a pull that have rejected records.
    pub async fn chunks_with_rejects(&self, pull: PullId) -> Result<Vec<ChunkRef>, Error> {
        let sql = "/* rejected::chunks */
            select pulled_at, chunk from pull_chunk
            where pull_id = $1 and pulled_at = $2 and rejects is not null order by chunk";
        let client = self.client().await?;
        let at = pull::started_at(&client, pull).await?;
        let rows = client.query(sql, &[&pull.0, &at]).await?;
        rows.iter().map(|row| chunk_of(pull, row)).collect()
    }

    /// The chunks of a pull whose pages are all stored that have to go through the stages: nobody has given up on them,
    /// and they lack their games.
    pub async fn chunks_to_flow(&self, pull: PullId) -> Result<Vec<ChunkRef>, Error> {
        let sql = "/* rejected::to_flow */
            select pulled_at, chunk from pull_chunk c
            where pull_id = $1 and pulled_at = $2 and games_at is null and failed_stage is null
              and exists (select from pull p where p.id = $1 and p.extracted_at is not null)
            order by chunk";
        let client = self.client().await?;
        let at = pull::started_at(&client, pull).await?;
        let rows = client.query(sql, &[&pull.0, &at]).await?;
        rows.iter().map(|row| chunk_of(pull, row)).collect()
    }

    /// Lets those rejected records of a chunk enter their pull that `passes` lets through: one transaction, so that
    /// what was fetched stays stored, rejected or a duplicate at every moment. With `dry` it is rolled back.
    ///
    /// A chunk into which a stream entered goes through the stages once more; a pull that was past filling games, had
    /// succeeded, or had failed because too many of its records were rejected, is filling games again. Documents that are merged already stay until they are merged again.
    pub async fn revalidate(
        &self,
        chunk: ChunkRef,
        passes: impl Fn(&Rejected) -> Option<Validated>,
        dry: bool,
        now: DateTime<Utc>,
    ) -> Result<Revalidated, Error> {
        let key = (chunk.pull_id.0, chunk.pulled_at, chunk.chunk);
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let lock = "/* rejected::readmit, lock pull */ select from pull where id = $1 for no key update";
        transaction.query_opt(lock, &[&key.0]).await?.ok_or(Error::NoPull(chunk.pull_id))?;
        let lock = "/* rejected::readmit, lock */
            select rejects, rejected, coalesce(page, page_jsonb::json)::text as page
            from pull_chunk where pull_id = $1 and pulled_at = $2 and chunk = $3
            for no key update";
        let row = transaction.query_opt(lock, &[&key.0, &key.1, &key.2]).await?;
        let row = row.ok_or(Error::NoChunk(chunk))?;
        let (rejects, rejected) = (reject_text::rejects(row.column("rejects")?), row.column("rejected")?);
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        if count(rejects.len()) != rejected {
            // Of an archive this build cannot read whole nothing is taken: the rest would be lost.
            return Ok(Revalidated { remaining: rejected, ..Revalidated::default() });
        }

        let (mut places, mut valid_now, mut remaining, mut nuls) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for reject in rejects {
            match passes(&reject) {
                Some(valid) => {
                    nuls += valid.nul_replaced;
                    places.push(reject.place);
                    valid_now.push(valid.record);
                }
                None => remaining.push(reject),
            }
        }
        let there = streams_there(&transaction, chunk, &valid_now).await?;
        let entering = Entering::new(there, &places, &valid_now);
        let entered = count(entering.kept.len());
        let revalidated = Revalidated {
            entered,
            duplicates: count(valid_now.len()) - entered,
            remaining: count(remaining.len()),
        };
        let left = count(valid_now.len());
        entering.write(&transaction, chunk, row.column("page")?, &remaining, now).await?;
        let reopen = "/* rejected::readmit, pull */
            with before as (select id as pull_id, $2 > 0 and (status in ('success', 'filling-channels')
                                                      or status = 'failed' and channels_filled is not null) as again
                            from pull where id = $1)
            update pull
            set stored = stored + $2, rejected = rejected - $3, duplicates = duplicates + $4,
                nul_replaced = nul_replaced + $5,
                status = case when again then 'filling-games' else status end,
                completed_at = case when again then null else completed_at end,
                error = case when again then null else error end,
                games_added = case when again then null else games_added end,
                games_missing = case when again then null else games_missing end,
                channels_filled = case when again then null else channels_filled end,
                channels_missing = case when again then null else channels_missing end,
                rescues = case when again then 0 else rescues end,
                rescued_at = case when again then $6 else rescued_at end
            from before where id = pull_id";
        transaction
            .execute(reopen, &[&key.0, &revalidated.entered, &left, &revalidated.duplicates, &nuls, &now])
            .await?;
        if dry {
            transaction.rollback().await?;
        } else {
            transaction.commit().await?;
        }
        Ok(revalidated)
    }
}

/// Which of these streams the pull has: in the rows of merged chunks, or in the pages of the others.
async fn streams_there(
    transaction: &Transaction<'_>,
    chunk: ChunkRef,
    records: &[Record],
) -> Result<HashSet<String>, Error> {
    let sql = "/* rejected::streams_there */
        select stream_id from pull_data where pull_id = $1 and pulled_at = $2 and stream_id = any($3)
        union
        select record->>'id' from pull_chunk c, json_array_elements(coalesce(c.page, c.page_jsonb::json)) record
        where c.pull_id = $1 and c.pulled_at = $2 and c.merged_at is null and record->>'id' = any($3)";
    if records.is_empty() {
        return Ok(HashSet::new());
    }
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let rows = transaction.query(sql, &[&chunk.pull_id.0, &chunk.pulled_at, &ids]).await?;
    rows.iter().map(|row| row.column("stream_id")).collect()
}

/// A chunk of a pull, from `pulled_at` and `chunk`.
fn chunk_of(pull: PullId, row: &Row) -> Result<ChunkRef, Error> {
    Ok(ChunkRef { pull_id: pull, pulled_at: row.column("pulled_at")?, chunk: row.column("chunk")? })
}

/// A row of `rejected_record`.
pub(super) fn rejected_record(row: &Row) -> Result<RejectedRecord, Error> {
    Ok(RejectedRecord {
        pull_id: row.column("pull_id")?,
        chunk: row.column("chunk")?,
        place: row.column("place")?,
        rule: row.column("rule")?,
        detail: row.column("detail")?,
        raw: row.column("raw_text")?,
    })
}
