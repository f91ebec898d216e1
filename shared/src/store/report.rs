//! Questions of a person: how is this pull doing, which ones were there.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;
use serde::Serialize;
use tokio_postgres::{Row, types::ToSql};

use super::{Error, Store, column::Columns, pull};
use crate::schema::{PullId, PullStatus};

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
    /// Rejected records by rule; empty in lists, which do not count them.
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

pub(super) const COLUMNS: &str =
    "id, status, slot, requested_by, started_at, extracted_at, completed_at, stop_reason, error, pages,
    fetched, stored, rejected, duplicates, nul_replaced, chunks, games_added, games_missing, channels_filled,
    channels_missing, helix_calls, chunk_calls, rescues, whole";

impl Store {
    /// The newest pulls, newest first.
    pub async fn pulls(&self, limit: i64) -> Result<Vec<PullReport>, Error> {
        let sql = format!("/* report::pulls */ select {COLUMNS} from pull order by id desc limit $1");
        self.reports(&sql, &[&limit]).await
    }

    /// One pull.
    pub async fn pull_report(&self, pull: PullId) -> Result<PullReport, Error> {
        let sql = format!("/* report::pull */ select {COLUMNS} from pull where id = $1");
        self.reports(&sql, &[&pull.0]).await?.pop().ok_or(Error::NoPull(pull))
    }

    /// The pulls that have not come to their end, oldest first.
    pub async fn pulls_under_way(&self) -> Result<Vec<PullReport>, Error> {
        let sql = format!(
            "/* report::pulls_under_way */ select {COLUMNS} from pull
             where status not in ('success', 'failed') order by id"
        );
        self.reports(&sql, &[]).await
    }

    /// The pull that came to its end last, if any did.
    pub async fn last_closed_pull(&self) -> Result<Option<PullReport>, Error> {
        let sql = format!(
            "/* report::last_closed_pull */ select {COLUMNS} from pull
             where completed_at is not null order by completed_at desc limit 1"
        );
        Ok(self.reports(&sql, &[]).await?.pop())
    }

    pub(super) async fn reports(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<PullReport>, Error> {
        let mut reports = self.brief_reports(sql, values).await?;
        count_rejected(&*self.client().await?, &mut reports).await?;
        Ok(reports)
    }

    /// The same without the rejected records by rule: to count those, every chunk of every pull is read.
    pub(super) async fn brief_reports(
        &self,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<PullReport>, Error> {
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, values).await?;
        let mut reports = rows.iter().map(report).collect::<Result<Vec<_>, _>>()?;
        count_done(&client, &mut reports).await?;
        Ok(reports)
    }

    /// How far each stage has come with a pull, in the order of the flow.
    pub async fn stage_spans(&self, pull: PullId) -> Result<Vec<StageSpan>, Error> {
        let sql = "/* report::stage_spans */
            select stage, count(done_at) as chunks, min(done_at) as first_at, max(done_at) as last_at
            from pull_chunk, unnest(array[stored_at, games_at, channels_at, merged_at]) with ordinality done (done_at, stage)
            where pull_id = $1 and pulled_at = $2 group by stage";
        let client = self.client().await?;
        let pulled_at = pull::started_at(&client, pull).await?;
        let none = |stage| StageSpan { stage, chunks: 0, first_at: None, last_at: None };
        let mut spans = ["extractor", "game-enricher", "channel-enricher", "finalizer"].map(none);
        for row in client.query(sql, &[&pull.0, &pulled_at]).await? {
            let place = usize::try_from(row.column::<i64>("stage")? - 1).unwrap_or(usize::MAX);
            if let Some(span) = spans.get_mut(place) {
                span.chunks = row.column("chunks")?;
                span.first_at = row.column("first_at")?;
                span.last_at = row.column("last_at")?;
            }
        }
        Ok(spans.into())
    }

    /// The newest pull, if there is one.
    pub async fn latest_pull(&self) -> Result<Option<PullId>, Error> {
        let sql = "/* report::latest */ select max(id) as id from pull";
        Ok(self.client().await?.query_one(sql, &[]).await?.column::<Option<i64>>("id")?.map(PullId))
    }

    /// The stored chunks of a pull that are not merged, at most `limit` of them; those that failed first.
    pub async fn waiting(&self, pull: PullId, limit: i64) -> Result<Vec<Waiting>, Error> {
        let sql = "/* report::waiting */
            select chunk, case when games_at is null then 'game-enricher' when channels_at is null then 'channel-enricher'
                              else 'finalizer' end as stage,
                   greatest(stored_at, games_at, channels_at) as since, failed_stage, failure
            from pull_chunk
            where pull_id = $1 and pulled_at = $2 and merged_at is null order by failed_at nulls last, chunk limit $3";
        let client = self.client().await?;
        let pulled_at = pull::started_at(&client, pull).await?;
        let waiting = |row: &Row| {
            Ok(Waiting {
                chunk: row.column("chunk")?,
                stage: row.column("stage")?,
                since: row.column("since")?,
                failed_stage: row.column("failed_stage")?,
                failure: row.column("failure")?,
            })
        };
        client.query(sql, &[&pull.0, &pulled_at, &limit]).await?.iter().map(waiting).collect()
    }
}

/// Counts the chunks that the stages are done with, and the calls these took, of pulls that have not succeeded.
async fn count_done(client: &ClientWrapper, reports: &mut [PullReport]) -> Result<(), Error> {
    let sql = "/* report::count_done */
        select pull_id, count(games_at) as games, count(channels_at) as channels, count(merged_at) as merged,
               sum(helix_calls)::int as calls
        from pull_chunk where pull_id = any($1) and pulled_at = any($2) group by pull_id";
    let Some((ids, times)) = keys(reports, |report| report.status != PullStatus::Success.as_str()) else {
        return Ok(());
    };
    let statement = client.prepare_cached(sql).await?;
    for row in client.query(&statement, &[&ids, &times]).await? {
        let id = PullId(row.column("pull_id")?);
        if let Some(report) = reports.iter_mut().find(|report| report.pull_id == id) {
            report.games_chunks = row.column("games")?;
            report.channels_chunks = row.column("channels")?;
            report.merged_chunks = row.column("merged")?;
            report.helix_calls += row.column::<i32>("calls")?;
        }
    }
    Ok(())
}

/// Counts the rejected records by rule.
async fn count_rejected(client: &ClientWrapper, reports: &mut [PullReport]) -> Result<(), Error> {
    let sql = "/* report::count_rejected */
        select pull_id, rule, sum(records)::int as records from rejected_by_rule
        where pull_id = any($1) and pulled_at = any($2) group by pull_id, rule";
    let Some((ids, times)) = keys(reports, |report| report.rejected > 0) else { return Ok(()) };
    let statement = client.prepare_cached(sql).await?;
    for row in client.query(&statement, &[&ids, &times]).await? {
        let id = PullId(row.column("pull_id")?);
        if let Some(report) = reports.iter_mut().find(|report| report.pull_id == id) {
            report.rejected_by_rule.insert(row.column("rule")?, row.column("records")?);
        }
    }
    Ok(())
}

/// The ids of those pulls that are meant, and the times that tell their partitions; none where there are none, because
/// `= any('{}')` would leave no partition out.
pub(super) fn keys(
    reports: &[PullReport],
    meant: impl Fn(&PullReport) -> bool,
) -> Option<(Vec<i64>, Vec<DateTime<Utc>>)> {
    let meant = reports.iter().filter(|report| meant(report));
    let (ids, times): (Vec<_>, Vec<_>) = meant.map(|report| (report.pull_id.0, report.started_at)).unzip();
    (!ids.is_empty()).then_some((ids, times))
}

/// The report of a pull, as far as its own row tells. In one that succeeded every stage is done with every chunk; for the
/// others that is to be counted.
fn report(row: &Row) -> Result<PullReport, Error> {
    let chunks: i32 = row.column("chunks")?;
    let succeeded = row.column::<&str>("status")? == PullStatus::Success.as_str();
    let done = if succeeded { i64::from(chunks) } else { 0 };
    // What its chunks took is summed when it succeeds; before that it is counted with them.
    let summed: i32 = if succeeded { 0 } else { row.column("chunk_calls")? };
    Ok(PullReport {
        pull_id: PullId(row.column("id")?),
        chunks,
        games_chunks: done,
        channels_chunks: done,
        merged_chunks: done,
        rejected_by_rule: BTreeMap::new(),
        status: row.column("status")?,
        slot: row.column("slot")?,
        requested_by: row.column("requested_by")?,
        started_at: row.column("started_at")?,
        extracted_at: row.column("extracted_at")?,
        completed_at: row.column("completed_at")?,
        stop_reason: row.column("stop_reason")?,
        whole: row.column("whole")?,
        error: row.column("error")?,
        pages: row.column("pages")?,
        fetched: row.column("fetched")?,
        stored: row.column("stored")?,
        rejected: row.column("rejected")?,
        duplicates: row.column("duplicates")?,
        nul_replaced: row.column("nul_replaced")?,
        games_added: row.column("games_added")?,
        games_missing: row.column("games_missing")?,
        channels_filled: row.column("channels_filled")?,
        channels_missing: row.column("channels_missing")?,
        helix_calls: row.column::<i32>("helix_calls")? - summed,
        rescues: row.column("rescues")?,
    })
}
