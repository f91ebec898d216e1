//! Tables `replay` and `replay_letter`: replays that were cut short, and who carries them on.

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Row;

use super::{
    record::lock_dead_letter_tables,
    replay::{LEASE, ReplayLease},
};
use crate::store::{Error, Store, column::Columns};

/// For so long an interrupted replay is left to the operation that it is for.
const LEFT_TO_OPERATIONS: TimeDelta = TimeDelta::minutes(5);

/// A replay that was interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// Its number.
    pub replay_id: i64,
    /// The stage it sends to; none is each dead letter's own.
    pub target: Option<String>,
}

/// A replay that somebody else has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continued {
    /// The right to carry it out.
    pub lease: ReplayLease,
    /// How it has ended; none while it has not.
    pub ending: Option<String>,
}

impl Store {
    /// Replays that somebody began and nobody is at any more. Those of an operation that has not ended are left for a while to
    /// whoever carries that out next, and goes on with them.
    pub async fn interrupted_replays(&self, now: DateTime<Utc>) -> Result<Vec<Interrupted>, Error> {
        let sql = "/* replay::interrupted */
            select id, target from replay r
            where ended_at is null and active_until < $1
              and not exists (select from operation o where o.id = r.operation_id and o.ended_at is null and r.active_until > $2)
            order by id";
        let rows = self.client().await?.query(sql, &[&now, &(now - LEFT_TO_OPERATIONS)]).await?;
        let interrupted =
            |row: &Row| Ok(Interrupted { replay_id: row.column("id")?, target: row.column("target")? });
        rows.iter().map(interrupted).collect()
    }

    /// The replay of an operation, for whoever carries that out now; none where none was planned. Whoever was at it before can
    /// do nothing more for it.
    pub async fn continue_replay(
        &self,
        operation: i64,
        now: DateTime<Utc>,
    ) -> Result<Option<Continued>, Error> {
        let sql = "/* replay::continue */
            update replay set keeper = case when ended_at is null then keeper + 1 else keeper end,
                active_until = case when ended_at is null then $2 else active_until end
            where operation_id = $1 returning id, keeper, ending";
        let rows = self.change_dead_letter_tables(sql, &[&operation, &(now + LEASE)]).await?;
        let continued = |row: &Row| {
            let lease = ReplayLease { replay_id: row.column("id")?, lease: row.column("keeper")? };
            Ok(Continued { lease, ending: row.column("ending")? })
        };
        rows.first().map(continued).transpose()
    }

    /// Takes an interrupted replay over: for one caller. Dead letters that were only planned are as they were.
    pub async fn take_replay_over(
        &self,
        replay: i64,
        now: DateTime<Utc>,
    ) -> Result<Option<ReplayLease>, Error> {
        let take = "/* replay::take_over */
            update replay set active_until = $2, keeper = keeper + 1
            where id = $1 and ended_at is null and active_until < $3 returning keeper";
        let planned = "/* replay::take_over, planned */
            with left_over as (
                delete from replay_letter where replay_id = $1 and state = 'planned' returning letter_id, was_held)
            update dead_letter d set state = case when was_held then 'held' else 'dead' end, state_at = $2
            from left_over where d.id = left_over.letter_id and d.state = 'replaying'";
        let mut client = self.client().await?;
        let transaction = lock_dead_letter_tables(&mut client).await?;
        let Some(row) = transaction.query_opt(take, &[&replay, &(now + LEASE), &now]).await? else {
            return Ok(None);
        };
        transaction.execute(planned, &[&replay, &now]).await?;
        transaction.commit().await?;
        Ok(Some(ReplayLease { replay_id: replay, lease: row.column("keeper")? }))
    }
}
