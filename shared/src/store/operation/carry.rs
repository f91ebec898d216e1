//! Ordering, carrying out and stopping an operation.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::{Error, Store, column::Columns};

use super::{
    model::{COLUMNS, NewOperation, OperationRow, operation},
    news::notify,
};

/// A carrier that is silent for so long is replaced.
const LEASE: TimeDelta = TimeDelta::seconds(15);
/// An order that nobody has begun by then is void: it should not surprise anybody later.
const BEGUN_WITHIN: TimeDelta = TimeDelta::hours(1);
/// How often a carrier has to say that it is there.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);

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
}
