//! Tables `operation` and `operation_step`: what people have ordered, who carries it out, and what came of it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio::{sync::watch, time::timeout};
use tokio_postgres::{Client, GenericClient, Row};

use super::{Error, Store, column::Columns};

/// The channel on which changes are notified; the payload is nothing to rely on.
const CHANNEL: &str = "operation";
/// A carrier that is silent for so long is replaced.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// An order that nobody has begun by then is void: it should not surprise anybody later.
const BEGUN_WITHIN: TimeDelta = TimeDelta::hours(1);
/// How often a carrier has to say that it is there.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);

/// An operation as it is ordered.
#[derive(Debug, Clone)]
pub struct NewOperation<'a> {
    /// What kind it is of.
    pub kind: &'a str,
    /// What it is about, and how.
    pub arguments: &'a Value,
    /// The operator's command that does the same, without the program's name.
    pub command: &'a str,
    /// Who orders it.
    pub by: &'a str,
    /// `console` or `command line`.
    pub from: &'a str,
    /// How many dead letters matched when it was confirmed; none where it is about none.
    pub counted: Option<i64>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperationRow {
    /// Its number.
    pub id: i64,
    /// Its kind.
    pub kind: String,
    /// What it is about, and how.
    pub arguments: Value,
    /// The operator's command that does the same, without the program's name.
    pub command: String,
    /// Who has ordered it.
    pub requested_by: String,
    /// `console` or `command line`.
    pub requested_from: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// How many dead letters matched when it was confirmed; none where it is about none.
    pub counted: Option<i64>,
    /// `requested`, `running`, `stopping`, `done`, `stopped` or `failed`.
    pub state: String,
    /// Who has asked for it to be stopped.
    pub stop_by: Option<String>,
    /// When.
    pub stop_at: Option<DateTime<Utc>>,
    /// The process that carries it out, or did last.
    pub carried_by: Option<String>,
    /// When it was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What came of it, in words.
    pub outcome: Option<String>,
    /// Its replay, where it sends dead letters back and has begun.
    pub replay_id: Option<i64>,
}

/// Something that was done for an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperationStep {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub step: String,
}

/// The right to carry an operation out: a carrier that was silent for too long has been replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The operation.
    pub operation_id: i64,
    /// The fencing token.
    carrier: i32,
}

impl Claim {
    /// Whether nobody has carried it out before.
    pub const fn is_first(self) -> bool {
        self.carrier == 1
    }
}

/// An order for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// `console` or `command line`, where that is known.
    pub place: Option<String>,
    /// What was done.
    pub action: String,
    /// With what.
    pub detail: String,
    /// The operation that it is about.
    pub operation_id: Option<i64>,
}

const COLUMNS: &str = "o.id, o.kind, o.arguments, o.command, o.requested_by, o.requested_from, o.requested_at, o.counted, o.state,
    o.stop_by, o.stop_at, o.carried_by, o.carrier, o.started_at, o.ended_at, o.outcome,
    (select r.id from replay r where r.operation_id = o.id) as replay_id";

impl Store {
    /// Orders an operation. Returns its number.
    pub async fn request_operation(&self, new: &NewOperation<'_>, now: DateTime<Utc>) -> Result<i64, Error> {
        let sql = "/* operation::request */
            insert into operation (kind, arguments, command, requested_by, requested_from, requested_at, counted)
            values ($1, $2, $3, $4, $5, $6, $7) returning id";
        let NewOperation { kind, arguments, command, by, from, counted } = new;
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let row = transaction.query_one(sql, &[kind, arguments, command, by, from, &now, counted]).await?;
        notify(&*transaction).await?;
        transaction.commit().await?;
        row.column("id")
    }

    /// Orders an operation that this process carries out itself, at once.
    pub async fn begin_operation(
        &self,
        new: &NewOperation<'_>,
        carried_by: &str,
        now: DateTime<Utc>,
    ) -> Result<Claim, Error> {
        let sql = "/* operation::begin */
            insert into operation (kind, arguments, command, requested_by, requested_from, requested_at, counted, state,
                                   carried_by, carried_until, carrier, started_at)
            values ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $9, 1, $6) returning id";
        let NewOperation { kind, arguments, command, by, from, counted } = new;
        let until = now + LEASE;
        let client = self.client().await?;
        let row = client
            .query_one(sql, &[kind, arguments, command, by, from, &now, counted, &carried_by, &until])
            .await?;
        Ok(Claim { operation_id: row.column("id")?, carrier: 1 })
    }

    /// Takes on the oldest operation that nobody carries out, or `only` this one; none where there is none.
    pub async fn claim_operation(
        &self,
        only: Option<i64>,
        carried_by: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<(Claim, OperationRow)>, Error> {
        let void = "/* operation::claim, void */
            update operation set state = 'failed', ended_at = $1,
                outcome = 'nobody took it on within an hour, so nothing was done: order it again'
            where state = 'requested' and requested_at < $2";
        let sql = format!(
            "/* operation::claim */
            update operation o
            set state = case state when 'requested' then 'running' else state end, carried_by = $2, carried_until = $3,
                carrier = carrier + 1, started_at = coalesce(started_at, $4)
            where id = (select id from operation
                        where ended_at is null and (carried_until is null or carried_until < $4) and ($1::bigint is null or id = $1)
                        order by id limit 1 for no key update skip locked)
            returning {COLUMNS}"
        );
        let mut client = self.client().await?;
        client.execute(void, &[&now, &(now - BEGUN_WITHIN)]).await?;
        let transaction = client.transaction().await?;
        let row = transaction.query_opt(&sql, &[&only, &carried_by, &(now + LEASE), &now]).await?;
        let Some(row) = row else { return Ok(None) };
        notify(&*transaction).await?;
        transaction.commit().await?;
        let operation = operation(&row)?;
        Ok(Some((Claim { operation_id: operation.id, carrier: row.column("carrier")? }, operation)))
    }

    /// Says that its carrier is there. False when it was replaced.
    pub async fn renew_operation(&self, claim: Claim, now: DateTime<Utc>) -> Result<bool, Error> {
        let sql = "/* operation::renew */
            update operation set carried_until = $3 where id = $1 and carrier = $2 and ended_at is null";
        let client = self.client().await?;
        Ok(client.execute(sql, &[&claim.operation_id, &claim.carrier, &(now + LEASE)]).await? > 0)
    }

    /// Gives an operation back before its end: somebody else goes on with it at once.
    pub async fn release_operation(&self, claim: Claim) -> Result<(), Error> {
        let sql = "/* operation::release */
            update operation set carried_until = null where id = $1 and carrier = $2 and ended_at is null";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction.execute(sql, &[&claim.operation_id, &claim.carrier]).await?;
        notify(&*transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Notes what was done for an operation.
    pub async fn note_operation_step(
        &self,
        claim: Claim,
        step: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* operation::note_step */
            insert into operation_step (operation_id, at, step)
            select id, $3, $4 from operation where id = $1 and carrier = $2 and ended_at is null";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction.execute(sql, &[&claim.operation_id, &claim.carrier, &now, &step]).await?;
        notify(&*transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Ends an operation as `state`: `done`, `stopped` or `failed`; nothing where its carrier was replaced.
    pub async fn end_operation(
        &self,
        claim: Claim,
        state: &str,
        outcome: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* operation::end */
            update operation set state = $3, outcome = $4, ended_at = $5
            where id = $1 and carrier = $2 and ended_at is null";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction.execute(sql, &[&claim.operation_id, &claim.carrier, &state, &outcome, &now]).await?;
        notify(&*transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Asks for an operation to be stopped; one that has ended, or was asked to stop before, stays as it is. Returns how it
    /// stands then; none if there is no such number.
    pub async fn stop_operation(
        &self,
        id: i64,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<OperationRow>, Error> {
        let sql = "/* operation::stop */ update operation set stop_by = $2, stop_at = $3 where id = $1";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        transaction.execute(sql, &[&id, &by, &now]).await?;
        notify(&*transaction).await?;
        transaction.commit().await?;
        drop(client);
        self.operation(id).await
    }

    /// An operation; none if there is no such number.
    pub async fn operation(&self, id: i64) -> Result<Option<OperationRow>, Error> {
        let sql = format!("/* operation::one */ select {COLUMNS} from operation o where id = $1");
        let row = self.client().await?.query_opt(&sql, &[&id]).await?;
        row.as_ref().map(operation).transpose()
    }

    /// The newest operations, before the one numbered `before` where that is given; at most `limit`.
    pub async fn operations(&self, before: Option<i64>, limit: i64) -> Result<Vec<OperationRow>, Error> {
        let sql = format!(
            "/* operation::list */ select {COLUMNS} from operation o where $1::bigint is null or id < $1 order by id desc limit $2"
        );
        let rows = self.client().await?.query(&sql, &[&before, &limit]).await?;
        rows.iter().map(operation).collect()
    }

    /// What was done for an operation, in order.
    pub async fn operation_steps(&self, id: i64) -> Result<Vec<OperationStep>, Error> {
        let sql =
            "/* operation::steps */ select at, step from operation_step where operation_id = $1 order by id";
        let rows = self.client().await?.query(sql, &[&id]).await?;
        rows.iter()
            .map(|row| Ok(OperationStep { at: row.column("at")?, step: row.column("step")? }))
            .collect()
    }

    /// Which of these operations are to be stopped.
    pub async fn stopping_operations(&self, ids: &[i64]) -> Result<Vec<i64>, Error> {
        let sql =
            "/* operation::stopping */ select id from operation where id = any($1) and state = 'stopping'";
        let rows = self.client().await?.query(sql, &[&ids]).await?;
        rows.iter().map(|row| row.column("id")).collect()
    }

    /// When the first of those that carry an operation out will have been silent for too long; none where nobody does.
    pub async fn first_silent_carrier(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let sql = "/* operation::first_silent */
            select min(carried_until) as first from operation where ended_at is null";
        self.client().await?.query_one(sql, &[]).await?.column("first")
    }

    /// The newest orders of people; at most `limit`.
    pub async fn audit(&self, limit: i64) -> Result<Vec<AuditRow>, Error> {
        let sql = "/* operation::audit */
            select at, by, place, action, detail, operation_id from audit order by at desc, operation_id desc limit $1";
        let rows = self.client().await?.query(sql, &[&limit]).await?;
        let order = |row: &Row| {
            Ok(AuditRow {
                at: row.column("at")?,
                by: row.column("by")?,
                place: row.column("place")?,
                action: row.column("action")?,
                detail: row.column("detail")?,
                operation_id: row.column("operation_id")?,
            })
        };
        rows.iter().map(order).collect()
    }

    /// Listens for news of operations, on a session of its own.
    pub async fn operation_news(&self) -> Result<OperationNews, Error> {
        let (session, notified) = self.pool.manager().listener(CHANNEL).await?;
        Ok(OperationNews { _session: session, notified })
    }
}

/// A session that hears of every change of an operation.
#[derive(Debug)]
pub struct OperationNews {
    _session: Client,
    notified: watch::Receiver<()>,
}

impl OperationNews {
    /// Waits for a change, at most for so long; one that happened since the last wait counts.
    ///
    /// # Errors
    /// [`Error::Silent`] once the session has ended.
    pub async fn wait(&mut self, longest: Duration) -> Result<(), Error> {
        match timeout(longest, self.notified.changed()).await {
            Ok(Err(_)) => Err(Error::Silent),
            _ => Ok(()),
        }
    }
}

async fn notify(client: &impl GenericClient) -> Result<(), Error> {
    let sql = "/* operation::notify */ select pg_notify($1, '')";
    client.query_one(sql, &[&CHANNEL]).await?;
    Ok(())
}

fn operation(row: &Row) -> Result<OperationRow, Error> {
    Ok(OperationRow {
        id: row.column("id")?,
        kind: row.column("kind")?,
        arguments: row.column("arguments")?,
        command: row.column("command")?,
        requested_by: row.column("requested_by")?,
        requested_from: row.column("requested_from")?,
        requested_at: row.column("requested_at")?,
        counted: row.column("counted")?,
        state: row.column("state")?,
        stop_by: row.column("stop_by")?,
        stop_at: row.column("stop_at")?,
        carried_by: row.column("carried_by")?,
        started_at: row.column("started_at")?,
        ended_at: row.column("ended_at")?,
        outcome: row.column("outcome")?,
        replay_id: row.column("replay_id")?,
    })
}
