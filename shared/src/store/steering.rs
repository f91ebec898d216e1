//! Tables `stage_pause` and `run_once`: what people order. How workers hear of it: `orders.rs`.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use tokio_postgres::{GenericClient, Row};

use super::{Error, Store, column::Columns};
use crate::{
    clock::Clock,
    failure::Failure,
    schema::PullId,
    steering::{Orders, RunOnceOutcome, StagePause, Steering},
};

/// The channel on which changes are notified; the payload is nothing to rely on.
pub(super) const CHANNEL: &str = "steering";
/// A request for one message that no replica has taken on by then is void: it should not surprise anybody later.
pub const RUN_ONCE_WITHIN: TimeDelta = TimeDelta::minutes(1);
/// What became of a request for one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOnceReport {
    /// The replica that took it on; none yet.
    pub taken_by: Option<String>,
    /// `settled`, `nothing-waits` or `given-back`; none while it is under way.
    pub outcome: Option<String>,
    /// The message's id, where there was one.
    pub message_id: Option<String>,
}

impl Store {
    /// The stages that are paused by people now, by name.
    pub async fn stage_pauses(&self, now: DateTime<Utc>) -> Result<Vec<StagePause>, Error> {
        let sql = "/* steering::stage_pauses */
            select stage, paused_by, reason, paused_at, until from stage_pause
            where until is null or until > $1 order by stage";
        let rows = self.client().await?.query(sql, &[&now]).await?;
        rows.iter().map(pause).collect()
    }

    /// Pauses a stage, in place of a pause that it is in already.
    pub async fn pause_stage(&self, pause: &StagePause) -> Result<(), Error> {
        let sql = "/* steering::pause */
            insert into stage_pause (stage, paused_by, reason, paused_at, until) values ($1, $2, $3, $4, $5)
            on conflict (stage) do update
            set paused_by = excluded.paused_by, reason = excluded.reason, paused_at = excluded.paused_at, until = excluded.until";
        let note = "/* steering::pause, note */
            insert into steering (at, by, action, stage, reason, until) values ($1, $2, 'pause', $3, $4, $5)";
        let StagePause { stage, paused_by, reason, paused_at, until } = pause;
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction.execute(sql, &[stage, paused_by, reason, paused_at, until]).await?;
        transaction.execute(note, &[paused_at, paused_by, stage, reason, until]).await?;
        notify(&*transaction, stage).await?;
        Ok(transaction.commit().await?)
    }

    /// Ends a stage's pause; none where it is not paused.
    pub async fn resume_stage(
        &self,
        stage: &str,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<StagePause>, Error> {
        let sql = "/* steering::resume */
            delete from stage_pause where stage = $1 returning stage, paused_by, reason, paused_at, until";
        let note = "/* steering::resume, note */
            insert into steering (at, by, action, stage) values ($1, $2, 'resume', $3)";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let ended = transaction.query_opt(sql, &[&stage]).await?.as_ref().map(pause).transpose()?;
        let ended = ended.filter(|pause| pause.until.is_none_or(|until| until > now));
        if ended.is_some() {
            transaction.execute(note, &[&now, &by, &stage]).await?;
            notify(&*transaction, stage).await?;
        }
        transaction.commit().await?;
        Ok(ended)
    }

    /// Asks for one message of a paused stage to be handled, for an operation where it is part of one. Returns the request's
    /// number, also where the operation has asked before; none where the stage is not paused.
    pub async fn request_run_once(
        &self,
        stage: &str,
        by: &str,
        operation: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<Option<i64>, Error> {
        let asked = "/* steering::request_run_once, asked */ select id from run_once where operation_id = $1";
        let sql = "/* steering::request_run_once */
            insert into run_once (stage, requested_by, requested_at, operation_id)
            select stage, $2, $3, $4 from stage_pause where stage = $1 and (until is null or until > $3) returning id";
        let note = "/* steering::request_run_once, note */
            insert into steering (at, by, action, stage, operation_id) values ($1, $2, 'run-once', $3, $4)";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        if let Some(row) = transaction.query_opt(asked, &[&operation]).await? {
            return row.column("id").map(Some);
        }
        let row = transaction.query_opt(sql, &[&stage, &by, &now, &operation]).await?;
        let Some(row) = row else { return Ok(None) };
        transaction.execute(note, &[&now, &by, &stage, &operation]).await?;
        notify(&*transaction, stage).await?;
        transaction.commit().await?;
        row.column("id").map(Some)
    }

    /// What became of a request for one message.
    pub async fn run_once_report(&self, request: i64) -> Result<RunOnceReport, Error> {
        let sql = "/* steering::run_once_report */ select taken_by, outcome, message_id from run_once where id = $1";
        let row = self.client().await?.query_one(sql, &[&request]).await?;
        Ok(RunOnceReport {
            taken_by: row.column("taken_by")?,
            outcome: row.column("outcome")?,
            message_id: row.column("message_id")?,
        })
    }

    /// Cancels a pull that is under way: it has failed, and its messages are to be dropped where they arrive.
    ///
    /// # Errors
    /// [`Error::NoPull`] where there is none, [`Error::Ended`] where it has come to its end already.
    pub async fn cancel_pull(
        &self,
        pull: PullId,
        by: &str,
        reason: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let lock = "/* steering::cancel, lock */ select status from pull where id = $1 for no key update";
        let sql = "/* steering::cancel */
            update pull set status = 'failed', completed_at = $2, cancelled_at = $2, error = $3,
                stop_reason = coalesce(stop_reason, 'cancelled')
            where id = $1";
        let note = "/* steering::cancel, note */
            insert into steering (at, by, action, pull_id, reason) values ($1, $2, 'cancel', $3, $4)";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let row = transaction.query_opt(lock, &[&pull.0]).await?.ok_or(Error::NoPull(pull))?;
        let status: String = row.column("status")?;
        if matches!(status.as_str(), "success" | "failed") {
            return Err(Error::Ended { pull, status });
        }
        let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let error = format!("cancelled by {by}{why}");
        transaction.execute(sql, &[&pull.0, &now, &error]).await?;
        transaction.execute(note, &[&now, &by, &pull.0, &reason]).await?;
        notify(&*transaction, "pull").await?;
        Ok(transaction.commit().await?)
    }

    async fn cancelled_pulls(&self, pulls: &[i64]) -> Result<HashSet<i64>, Error> {
        let sql =
            "/* steering::cancelled */ select id from pull where id = any($1) and cancelled_at is not null";
        let rows = self.client().await?.query(sql, &[&pulls]).await?;
        rows.iter().map(|row| row.column("id")).collect()
    }

    async fn take_run_once_request(
        &self,
        stage: &str,
        replica: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<i64>, Error> {
        let sql = "/* steering::take_run_once */
            update run_once set taken_by = $2, taken_at = $3
            where id = (select id from run_once where stage = $1 and taken_at is null and requested_at > $4
                        order by id limit 1 for update skip locked)
            returning id";
        let client = self.client().await?;
        let taken = client.query_opt(sql, &[&stage, &replica, &now, &(now - RUN_ONCE_WITHIN)]).await?;
        taken.map(|row| row.column("id")).transpose()
    }

    async fn note_run_once_outcome(
        &self,
        request: i64,
        outcome: RunOnceOutcome,
        message_id: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* steering::note_run_once */
            update run_once set outcome = $2, message_id = $3, ended_at = $4 where id = $1";
        self.client().await?.execute(sql, &[&request, &outcome.as_str(), &message_id, &now]).await?;
        Ok(())
    }
}

/// Why a stage's slot must not become a pull now: the pause that a person has ordered.
pub(super) async fn paused(
    client: &impl GenericClient,
    stage: &str,
    now: DateTime<Utc>,
) -> Result<Option<StagePause>, Error> {
    let sql = "/* steering::paused */
        select stage, paused_by, reason, paused_at, until from stage_pause
        where stage = $1 and (until is null or until > $2)";
    client.query_opt(sql, &[&stage, &now]).await?.as_ref().map(pause).transpose()
}

async fn notify(client: &impl GenericClient, subject: &str) -> Result<(), Error> {
    let sql = "/* steering::notify */ select pg_notify($1, $2)";
    client.query_one(sql, &[&CHANNEL, &subject]).await?;
    Ok(())
}

fn pause(row: &Row) -> Result<StagePause, Error> {
    Ok(StagePause {
        stage: row.column("stage")?,
        paused_by: row.column("paused_by")?,
        reason: row.column("reason")?,
        paused_at: row.column("paused_at")?,
        until: row.column("until")?,
    })
}

impl Steering for Store {
    fn follow<'a>(
        &'a self,
        stage: &'static str,
        clock: &'a Clock,
        tell: &'a (dyn Fn(Orders) + Send + Sync),
    ) -> BoxFuture<'a, Failure> {
        Box::pin(async move {
            let Err(error) = self.tell_orders(stage, clock, tell).await;
            error.into()
        })
    }

    fn cancelled<'a>(&'a self, pulls: &'a [i64]) -> BoxFuture<'a, Result<HashSet<i64>, Failure>> {
        Box::pin(async move { Ok(self.cancelled_pulls(pulls).await?) })
    }

    fn take_run_once<'a>(
        &'a self,
        stage: &'static str,
        replica: &'a str,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Option<i64>, Failure>> {
        Box::pin(async move { Ok(self.take_run_once_request(stage, replica, now).await?) })
    }

    fn note_run_once<'a>(
        &'a self,
        request: i64,
        outcome: RunOnceOutcome,
        message_id: Option<&'a str>,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { Ok(self.note_run_once_outcome(request, outcome, message_id, now).await?) })
    }
}
