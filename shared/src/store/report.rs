//! Questions of a person: how is this pull doing, which ones were there.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::{Row, types::ToSql};

use super::{Error, Store};
use crate::schema::PullId;

/// A pull as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PullReport {
    /// The pull.
    pub pull_id: PullId,
    /// Where it stands.
    pub status: String,
    /// The scheduled time; none when somebody asked for it.
    pub slot: Option<DateTime<Utc>>,
    /// Who asked for it.
    pub requested_by: String,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// When its last page was stored.
    pub extracted_at: Option<DateTime<Utc>>,
    /// When it came to its end.
    pub completed_at: Option<DateTime<Utc>>,
    /// Why it stopped fetching pages.
    pub stop_reason: Option<String>,
    /// Whether the list was read to its end, or to the least viewers wanted; none until fetching has ended.
    pub whole: Option<bool>,
    /// Why it failed.
    pub error: Option<String>,
    /// Pages fetched.
    pub pages: i32,
    /// Records received.
    pub fetched: i32,
    /// Streams stored.
    pub stored: i32,
    /// Records that failed validation.
    pub rejected: i32,
    /// Records whose stream the pull already had.
    pub duplicates: i32,
    /// Characters U+0000 replaced.
    pub nul_replaced: i32,
    /// Chunks.
    pub chunks: i32,
    /// Games learned through this pull; none until it is closed.
    pub games_added: Option<i32>,
    /// Games Twitch does not know; none until it is closed.
    pub games_missing: Option<i32>,
    /// Streams stored with their channel; none until it is closed.
    pub channels_filled: Option<i32>,
    /// Streams whose channel Twitch does not know; none until it is closed.
    pub channels_missing: Option<i32>,
    /// Calls to Helix.
    pub helix_calls: i32,
    /// How often its announcements were made again.
    pub rescues: i32,
    /// Chunks whose games are filled.
    pub games_chunks: i64,
    /// Chunks whose channels are filled.
    pub channels_chunks: i64,
    /// Chunks that are merged.
    pub merged_chunks: i64,
    /// Rejected records by rule.
    pub rejected_by_rule: BTreeMap<String, i32>,
}

/// A chunk that is not done, and why it waits where it waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The chunk.
    pub chunk: i32,
    /// The stage that has to handle it next.
    pub stage: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The stage that gave up on it last.
    pub failed_stage: Option<String>,
    /// Why.
    pub failure: Option<String>,
}

/// How far a stage has come with a pull, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageSpan {
    /// The stage.
    pub stage: &'static str,
    /// Chunks it is done with.
    pub chunks: i64,
    /// When it was done with the first of them.
    pub first_at: Option<DateTime<Utc>>,
    /// When it was done with the latest.
    pub last_at: Option<DateTime<Utc>>,
}

/// A scheduled time at which no pull was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissedSlot {
    /// The time.
    pub slot: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

const COLUMNS: &str =
    "id, status, slot, requested_by, started_at, extracted_at, completed_at, stop_reason, error, pages,
    fetched, stored, rejected, duplicates, nul_replaced, chunks, games_added, games_missing, channels_filled,
    channels_missing, helix_calls, rescues, done.games, done.channels, done.merged, whole";

const DONE: &str = "cross join lateral (
    select count(games_at) as games, count(channels_at) as channels, count(merged_at) as merged
    from pull_chunk c where c.pull_id = p.id and c.pulled_at = p.started_at) done";

impl Store {
    /// The newest pulls, newest first.
    pub async fn pulls(&self, limit: i64) -> Result<Vec<PullReport>, Error> {
        let sql =
            format!("/* report::pulls */ select {COLUMNS} from pull p {DONE} order by id desc limit $1");
        self.reports(&sql, &[&limit]).await
    }

    /// One pull.
    pub async fn pull_report(&self, pull: PullId) -> Result<PullReport, Error> {
        let sql = format!("/* report::pull */ select {COLUMNS} from pull p {DONE} where id = $1");
        self.reports(&sql, &[&pull.0]).await?.pop().ok_or(Error::NoPull(pull))
    }

    /// The pulls that have not come to their end, oldest first.
    pub async fn pulls_under_way(&self) -> Result<Vec<PullReport>, Error> {
        let sql = format!(
            "/* report::pulls_under_way */ select {COLUMNS} from pull p {DONE}
             where status not in ('success', 'failed') order by id"
        );
        self.reports(&sql, &[]).await
    }

    /// The pull that came to its end last, if any did.
    pub async fn last_closed_pull(&self) -> Result<Option<PullReport>, Error> {
        let sql = format!(
            "/* report::last_closed_pull */ select {COLUMNS} from pull p {DONE}
             where completed_at is not null order by completed_at desc limit 1"
        );
        Ok(self.reports(&sql, &[]).await?.pop())
    }

    async fn reports(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<PullReport>, Error> {
        let rules =
            "/* report::reports, rules */ select p.id, rule, sum(records)::int from rejected_by_rule r
            join pull p on p.id = r.pull_id and p.started_at = r.pulled_at
            where p.id = any($1) group by p.id, rule";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let mut reports: Vec<_> = client.query(&statement, values).await?.iter().map(report).collect();
        let rejecting = reports.iter().filter(|report| report.rejected > 0);
        let ids: Vec<i64> = rejecting.map(|report| report.pull_id.0).collect();
        let statement = client.prepare_cached(rules).await?;
        for row in client.query(&statement, &[&ids]).await? {
            let id = PullId(row.get(0));
            if let Some(report) = reports.iter_mut().find(|report| report.pull_id == id) {
                report.rejected_by_rule.insert(row.get(1), row.get(2));
            }
        }
        Ok(reports)
    }

    /// How far each stage has come with a pull, in the order of the flow.
    pub async fn stage_spans(&self, pull: PullId) -> Result<Vec<StageSpan>, Error> {
        let sql = "/* report::stage_spans */
            select count(stored_at), min(stored_at), max(stored_at), count(games_at), min(games_at), max(games_at),
                   count(channels_at), min(channels_at), max(channels_at), count(merged_at), min(merged_at), max(merged_at)
            from pull p join pull_chunk c on c.pull_id = p.id and c.pulled_at = p.started_at where p.id = $1";
        let row = self.client().await?.query_one(sql, &[&pull.0]).await?;
        let stages = ["extractor", "game-enricher", "channel-enricher", "finalizer"].into_iter().zip(0..);
        let span = |(stage, place): (&'static str, usize)| StageSpan {
            stage,
            chunks: row.get(3 * place),
            first_at: row.get(3 * place + 1),
            last_at: row.get(3 * place + 2),
        };
        Ok(stages.map(span).collect())
    }

    /// The newest pull, if there is one.
    pub async fn latest_pull(&self) -> Result<Option<PullId>, Error> {
        let sql = "/* report::latest */ select max(id) from pull";
        Ok(self.client().await?.query_one(sql, &[]).await?.get::<_, Option<i64>>(0).map(PullId))
    }

    /// The stored chunks of a pull that are not merged, at most `limit` of them; those that failed first.
    pub async fn waiting(&self, pull: PullId, limit: i64) -> Result<Vec<Waiting>, Error> {
        let sql = "/* report::waiting */
            select c.chunk, case when games_at is null then 'game-enricher' when channels_at is null then 'channel-enricher'
                                 else 'finalizer' end,
                   greatest(c.stored_at, c.games_at, c.channels_at), c.failed_stage, c.failure
            from pull p join pull_chunk c on c.pull_id = p.id and c.pulled_at = p.started_at
            where p.id = $1 and c.merged_at is null order by c.failed_at nulls last, c.chunk limit $2";
        let rows = self.client().await?.query(sql, &[&pull.0, &limit]).await?;
        Ok(rows
            .iter()
            .map(|row| Waiting {
                chunk: row.get(0),
                stage: row.get(1),
                since: row.get(2),
                failed_stage: row.get(3),
                failure: row.get(4),
            })
            .collect())
    }

    /// The newest missed slots, newest first.
    pub async fn missed_slots(&self, limit: i64) -> Result<Vec<MissedSlot>, Error> {
        let sql =
            "/* report::missed_slots */ select slot, reason from missed_slot order by slot desc limit $1";
        let rows = self.client().await?.query(sql, &[&limit]).await?;
        Ok(rows.iter().map(|row| MissedSlot { slot: row.get(0), reason: row.get(1) }).collect())
    }
}

fn report(row: &Row) -> PullReport {
    PullReport {
        pull_id: PullId(row.get(0)),
        status: row.get(1),
        slot: row.get(2),
        requested_by: row.get(3),
        started_at: row.get(4),
        extracted_at: row.get(5),
        completed_at: row.get(6),
        stop_reason: row.get(7),
        whole: row.get(25),
        error: row.get(8),
        pages: row.get(9),
        fetched: row.get(10),
        stored: row.get(11),
        rejected: row.get(12),
        duplicates: row.get(13),
        nul_replaced: row.get(14),
        chunks: row.get(15),
        games_added: row.get(16),
        games_missing: row.get(17),
        channels_filled: row.get(18),
        channels_missing: row.get(19),
        helix_calls: row.get(20),
        rescues: row.get(21),
        games_chunks: row.get(22),
        channels_chunks: row.get(23),
        merged_chunks: row.get(24),
        rejected_by_rule: BTreeMap::new(),
    }
}
