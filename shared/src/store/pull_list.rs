//! Table `pull`, a page at a time and a day at a time, with what a list shows beside each pull.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Row;

use super::{
    Error, MissedSlot, PullReport, Store,
    column::Columns,
    report::{COLUMNS, keys},
};

/// Which pulls are meant. Everything given must hold; nothing given means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullFilter {
    /// In this status.
    pub status: Option<String>,
    /// Started by the schedule, or on request.
    pub scheduled: Option<bool>,
    /// Older than the pull of this number.
    pub before: Option<i64>,
}

/// When each stage was done with the last chunk of a pull, so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageEnds {
    /// The pull.
    pub pull_id: i64,
    /// When its last page was stored.
    pub stored_at: Option<DateTime<Utc>>,
    /// When its last chunk had its games.
    pub games_at: Option<DateTime<Utc>>,
    /// When its last chunk had its channels.
    pub channels_at: Option<DateTime<Utc>>,
    /// When its last chunk was merged.
    pub merged_at: Option<DateTime<Utc>>,
}

/// Once that a pull was made again from its stored pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RerunRow {
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: String,
    /// The first stage that worked again.
    pub from_stage: String,
    /// The build that was asked.
    pub build: String,
    /// What the pull was before.
    pub was_status: String,
}

impl Store {
    /// The pulls meant, newest first, at most `limit`; without their rejected records by rule.
    pub async fn list_pulls(&self, filter: &PullFilter, limit: i64) -> Result<Vec<PullReport>, Error> {
        let sql = format!(
            "/* pull_list::list_pulls */ select {COLUMNS} from pull
             where ($1::text is null or status = $1) and ($2::boolean is null or (slot is not null) = $2)
               and ($3::bigint is null or id < $3)
             order by id desc limit $4"
        );
        self.brief_reports(&sql, &[&filter.status, &filter.scheduled, &filter.before, &limit]).await
    }

    /// The pulls that were started from `from` until before `to`, oldest first, at most `limit`; without their rejected records
    /// by rule.
    pub async fn pulls_between(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<PullReport>, Error> {
        let sql = format!(
            "/* pull_list::pulls_between */ select {COLUMNS} from pull
             where started_at >= $1 and started_at < $2 order by started_at limit $3"
        );
        self.brief_reports(&sql, &[&from, &to, &limit]).await
    }

    /// The slots from `from` until before `to` at which no pull was started, oldest first, at most `limit`.
    pub async fn missed_slots_between(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<MissedSlot>, Error> {
        let sql = "/* pull_list::missed_slots_between */
            select slot, reason from missed_slot where slot >= $1 and slot < $2 order by slot limit $3";
        let rows = self.client().await?.query(sql, &[&from, &to, &limit]).await?;
        let missed = |row: &Row| Ok(MissedSlot { slot: row.column("slot")?, reason: row.column("reason")? });
        rows.iter().map(missed).collect()
    }

    /// The latest slots that were decided, newest first, at most `limit`.
    pub async fn latest_slots(&self, limit: i64) -> Result<Vec<DateTime<Utc>>, Error> {
        let sql = "/* pull_list::latest_slots */
            select slot from (
                (select slot from pull where slot is not null order by slot desc limit $1)
                union all (select slot from missed_slot order by slot desc limit $1)) s
            order by slot desc limit $1";
        let client = self.client().await?;
        let rows = client.query(&client.prepare_cached(sql).await?, &[&limit]).await?;
        rows.iter().map(|row| row.column("slot")).collect()
    }

    /// When each stage was done with these pulls. Those without chunks are left out.
    pub async fn stage_ends(&self, pulls: &[PullReport]) -> Result<Vec<StageEnds>, Error> {
        let sql = "/* pull_list::stage_ends */
            select pull_id, max(stored_at) as stored_at, max(games_at) as games_at, max(channels_at) as channels_at,
                   max(merged_at) as merged_at
            from pull_chunk where pull_id = any($1) and pulled_at = any($2) group by pull_id";
        let Some((ids, times)) = keys(pulls, |pull| pull.chunks > 0) else { return Ok(Vec::new()) };
        let rows = self.client().await?.query(sql, &[&ids, &times]).await?;
        let ends = |row: &Row| {
            Ok(StageEnds {
                pull_id: row.column("pull_id")?,
                stored_at: row.column("stored_at")?,
                games_at: row.column("games_at")?,
                channels_at: row.column("channels_at")?,
                merged_at: row.column("merged_at")?,
            })
        };
        rows.iter().map(ends).collect()
    }

    /// How often a pull was made again, newest first, at most `limit`.
    pub async fn reruns(&self, pull: i64, limit: i64) -> Result<Vec<RerunRow>, Error> {
        let sql = "/* pull_list::reruns */
            select at, by, from_stage, build, was_status from pull_rerun where pull_id = $1 order by at desc limit $2";
        let rows = self.client().await?.query(sql, &[&pull, &limit]).await?;
        let rerun = |row: &Row| {
            Ok(RerunRow {
                at: row.column("at")?,
                by: row.column("by")?,
                from_stage: row.column("from_stage")?,
                build: row.column("build")?,
                was_status: row.column("was_status")?,
            })
        };
        rows.iter().map(rerun).collect()
    }
}
