//! Tables `worker_state` and `stage_retry`: how workers are doing, and what waits to be tried again.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use serde::Serialize;
use tokio_postgres::Row;

use super::{Error, Store, column::Columns};
use crate::{
    event::Event,
    failure::Failure,
    version::VERSION,
    worker_state::{Retry, StatusReporter, WorkerState},
};

/// A worker that was not seen for so long is gone or frozen: it writes its row every few seconds.
const FRESH: TimeDelta = TimeDelta::seconds(60);
/// A worker that was not seen for so long has missed three times to say so.
const SILENT: TimeDelta = TimeDelta::seconds(30);
/// A worker's clock may be ahead by any amount of time that a person would set by mistake.
const AHEAD: TimeDelta = TimeDelta::days(36_500);
/// Rows of processes that are gone are removed after this: whoever restarts them has done so by then.
const FORGOTTEN: TimeDelta = TimeDelta::minutes(10);

/// A worker's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerRow {
    /// Its stage.
    pub stage: String,
    /// A name that no other process has.
    pub replica: String,
    /// Its build.
    pub build: String,
    /// The host it runs on.
    pub host: String,
    /// `consuming`, `paused`, `half-open` or `draining`.
    pub state: String,
    /// The code of the failure it is paused for.
    pub code: Option<String>,
    /// The same in words.
    pub reason: Option<String>,
    /// Since when it is in this state; while paused or half-open, since when it is paused.
    pub since: DateTime<Utc>,
    /// Messages in its hand.
    pub in_hand: i32,
    /// Points of Twitch's budget that it believes to be left; none where it never calls Twitch.
    pub points_left: Option<i32>,
    /// Points of the full budget.
    pub points_limit: Option<i32>,
    /// How far its clock is ahead of the database's; negative where it is behind.
    #[serde(skip)]
    pub clock_ahead: TimeDelta,
    /// When it wrote this.
    pub seen_at: DateTime<Utc>,
}

impl WorkerRow {
    /// Whether it is paused, or tries a first message after a pause.
    pub fn is_paused(&self) -> bool {
        self.reason.is_some()
    }
}

/// A message that failed and waits to be tried again, or is being tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetryRow {
    /// The stage that failed.
    pub stage: String,
    /// The message's id.
    pub message_id: String,
    /// The pull it is about, where known.
    pub pull_id: Option<i64>,
    /// The chunk it is about, where known.
    pub chunk: Option<i32>,
    /// Attempts that failed.
    pub attempts: i32,
    /// The latest failure's code.
    pub code: String,
    /// The latest failure in words.
    pub message: String,
    /// When it failed first.
    pub first_failed_at: DateTime<Utc>,
    /// When it failed last.
    pub last_failed_at: DateTime<Utc>,
    /// When it comes back from its rung.
    pub retry_at: DateTime<Utc>,
}

impl Store {
    /// The workers that were seen within the last minute, by stage, those that are paused first.
    pub async fn worker_states(&self, now: DateTime<Utc>) -> Result<Vec<WorkerRow>, Error> {
        self.workers_seen(now - FRESH, now + AHEAD).await
    }

    /// The workers that have been silent for half a minute and did not say that they end: frozen, killed, or cut off from the
    /// database. They are forgotten after ten minutes.
    pub async fn silent_workers(&self, now: DateTime<Utc>) -> Result<Vec<WorkerRow>, Error> {
        self.workers_seen(now - FORGOTTEN, now - SILENT).await
    }

    async fn workers_seen(
        &self,
        from: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> Result<Vec<WorkerRow>, Error> {
        let sql = "/* worker_state::workers_seen */
            select stage, replica, build, host, state, code, reason, since, in_hand, points_left, points_limit,
                   (extract(epoch from seen_at - written_at) * 1000)::bigint as ahead_millis, seen_at
            from worker_state where seen_at >= $1 and seen_at < $2 order by stage, reason is null, since";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[&from, &before]).await?;
        rows.iter()
            .map(|row| {
                Ok(WorkerRow {
                    stage: row.column("stage")?,
                    replica: row.column("replica")?,
                    build: row.column("build")?,
                    host: row.column("host")?,
                    state: row.column("state")?,
                    code: row.column("code")?,
                    reason: row.column("reason")?,
                    since: row.column("since")?,
                    in_hand: row.column("in_hand")?,
                    points_left: row.column("points_left")?,
                    points_limit: row.column("points_limit")?,
                    clock_ahead: TimeDelta::milliseconds(row.column("ahead_millis")?),
                    seen_at: row.column("seen_at")?,
                })
            })
            .collect()
    }

    /// Messages that wait to be tried again, those that failed first before the others; at most `limit` of each stage.
    pub async fn retries(&self, limit: i64) -> Result<Vec<RetryRow>, Error> {
        let sql = "/* worker_state::retries */
            select stage, message_id, pull_id, chunk, attempts, code, message, first_failed_at, last_failed_at, retry_at
            from (select *, row_number() over (partition by stage order by first_failed_at, message_id) as place
                  from stage_retry) r
            where place <= $1 order by stage, place";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[&limit]).await?;
        rows.iter().map(retry).collect()
    }

    async fn report_worker(&self, worker: &WorkerState, now: DateTime<Utc>) -> Result<(), Error> {
        let sql = "/* worker_state::report */
            with gone as (delete from worker_state where seen_at < $11)
            insert into worker_state (stage, replica, build, host, state, code, reason, since, in_hand, seen_at, points_left,
                                      points_limit)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $12, $13)
            on conflict (stage, replica) do update
            set state = excluded.state, code = excluded.code, reason = excluded.reason, since = excluded.since,
                in_hand = excluded.in_hand, seen_at = excluded.seen_at, points_left = excluded.points_left,
                points_limit = excluded.points_limit, written_at = excluded.written_at";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let (code, reason) =
            worker.pause.as_ref().map(|pause| (pause.code, pause.reason.replace('\0', ""))).unzip();
        let in_hand = i32::try_from(worker.in_hand).unwrap_or(i32::MAX);
        client
            .execute(
                &statement,
                &[
                    &worker.stage,
                    &worker.replica,
                    &worker.build,
                    &worker.host,
                    &worker.state.as_str(),
                    &code,
                    &reason,
                    &worker.since,
                    &in_hand,
                    &now,
                    &(now - FORGOTTEN),
                    &worker.allowance.map(|allowance| i32::try_from(allowance.left).unwrap_or(i32::MAX)),
                    &worker.allowance.map(|allowance| i32::try_from(allowance.limit).unwrap_or(i32::MAX)),
                ],
            )
            .await?;
        Ok(())
    }

    async fn remove_worker(&self, worker: &WorkerState) -> Result<(), Error> {
        let sql = "/* worker_state::leave */ delete from worker_state where stage = $1 and replica = $2";
        self.client().await?.execute(sql, &[&worker.stage, &worker.replica]).await?;
        Ok(())
    }

    async fn upsert_retries(&self, stage: &str, retries: &[Retry], now: DateTime<Utc>) -> Result<(), Error> {
        // In order, so that two who write the same rows do not wait for each other in a circle.
        let sql = "/* worker_state::note_retries */
            with noted as (
                insert into provenance (pull_id, pulled_at, chunk, at, stage, action, attempt, detail, build)
                select p.id, p.started_at, coalesce(r.chunk, 0), $2, $1, 'ROUTE', r.attempts,
                       'tried again after ' || r.code || ': ' || r.message, $11
                from unnest($4::bigint[], $5::int[], $6::int[], $7::text[], $8::text[])
                    r (pull, chunk, attempts, code, message)
                join pull p on p.id = r.pull
            )
            insert into stage_retry (stage, message_id, pull_id, chunk, attempts, code, message, first_failed_at,
                                     last_failed_at, retry_at)
            select distinct on (id) $1, id, pull, chunk, attempts, code, message, first, $2, retry
            from unnest($3::text[], $4::bigint[], $5::int[], $6::int[], $7::text[], $8::text[], $9::timestamptz[],
                        $10::timestamptz[]) r (id, pull, chunk, attempts, code, message, first, retry)
            order by id
            on conflict (stage, message_id) do update
            set attempts = excluded.attempts, code = excluded.code, message = excluded.message,
                first_failed_at = excluded.first_failed_at, last_failed_at = excluded.last_failed_at,
                retry_at = excluded.retry_at";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let ids: Vec<&str> = retries.iter().map(|retry| retry.message_id.as_str()).collect();
        let pulls: Vec<Option<i64>> = retries.iter().map(|retry| retry.pull_id).collect();
        let chunks: Vec<Option<i32>> = retries.iter().map(|retry| retry.chunk).collect();
        let attempts: Vec<i32> =
            retries.iter().map(|retry| i32::try_from(retry.attempts).unwrap_or(i32::MAX)).collect();
        let codes: Vec<&str> = retries.iter().map(|retry| retry.code).collect();
        let messages: Vec<String> = retries.iter().map(|retry| retry.message.replace('\0', "")).collect();
        let first: Vec<DateTime<Utc>> = retries.iter().map(|retry| retry.first_failed_at).collect();
        let retry_at: Vec<DateTime<Utc>> = retries.iter().map(|retry| retry.retry_at).collect();
        client
            .execute(
                &statement,
                &[
                    &stage, &now, &ids, &pulls, &chunks, &attempts, &codes, &messages, &first, &retry_at,
                    &VERSION,
                ],
            )
            .await?;
        Ok(())
    }

    async fn delete_retries(&self, stage: &str, message_ids: &[String]) -> Result<(), Error> {
        let sql = "/* worker_state::forget_retries */
            delete from stage_retry where stage = $1 and message_id = any($2)";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, &[&stage, &message_ids]).await?;
        Ok(())
    }
}

/// A row of `stage_retry`.
pub(super) fn retry(row: &Row) -> Result<RetryRow, Error> {
    Ok(RetryRow {
        stage: row.column("stage")?,
        message_id: row.column("message_id")?,
        pull_id: row.column("pull_id")?,
        chunk: row.column("chunk")?,
        attempts: row.column("attempts")?,
        code: row.column("code")?,
        message: row.column("message")?,
        first_failed_at: row.column("first_failed_at")?,
        last_failed_at: row.column("last_failed_at")?,
        retry_at: row.column("retry_at")?,
    })
}

impl StatusReporter for Store {
    fn report<'a>(
        &'a self,
        state: &'a WorkerState,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { Ok(self.report_worker(state, now).await?) })
    }

    fn leave<'a>(&'a self, state: &'a WorkerState) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { Ok(self.remove_worker(state).await?) })
    }

    fn note_retries<'a>(
        &'a self,
        stage: &'static str,
        retries: &'a [Retry],
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { Ok(self.upsert_retries(stage, retries, now).await?) })
    }

    fn forget_retries<'a>(
        &'a self,
        stage: &'static str,
        message_ids: &'a [String],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { Ok(self.delete_retries(stage, message_ids).await?) })
    }

    fn record_events<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { Ok(self.add_events(events).await?) })
    }
}
