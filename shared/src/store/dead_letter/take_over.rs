//! Tables `replay` and `replay_letter`: replays that were cut short, and who carries them on.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::{
    record::lock_dead_letter_tables,
    replay::{LEASE, ReplayLease},
};
use crate::store::{Error, Store, column::Columns};

/// A replay that was interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// Its number.
    pub replay_id: i64,
    /// The stage it sends to; none is each dead letter's own.
    pub target: Option<String>,
}

impl Store {
    /// Replays that somebody began and nobody is at any more.
    pub async fn interrupted_replays(&self, now: DateTime<Utc>) -> Result<Vec<Interrupted>, Error> {
        let sql = "/* replay::interrupted */
            select id, target from replay where ended_at is null and active_until < $1 order by id";
        let rows = self.client().await?.query(sql, &[&now]).await?;
        let interrupted =
            |row: &Row| Ok(Interrupted { replay_id: row.column("id")?, target: row.column("target")? });
        rows.iter().map(interrupted).collect()
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
