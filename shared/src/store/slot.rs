//! The schedule's slots: each becomes one pull, or a row in `missed_slot` that says why not.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;

use super::{Error, Store, column::Columns, partition, pull, steering};
use crate::schema::PullId;

/// What became of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotDecision {
    /// This caller opened the pull, and has to announce it.
    Opened(PullId),
    /// No pull was started, for this reason; recorded by this caller.
    Missed(String),
    /// Somebody else decided it.
    Decided,
}

impl Store {
    /// Decides a slot: exactly one caller opens the pull or records why there is none, however many ask.
    ///
    /// A pull that is still under way keeps the next from starting, and so does a pause of the extractor.
    pub async fn open_slot(&self, slot: DateTime<Utc>, now: DateTime<Utc>) -> Result<SlotDecision, Error> {
        let mut client = self.client().await?;
        partition::ensure(&client, now).await?;
        let transaction = client.transaction().await?;
        let lock = "/* slot::open */ select pg_advisory_xact_lock(hashtext('slot'))";
        transaction.execute(lock, &[]).await?;
        let decided = "/* slot::open */ select exists (select from pull where slot = $1)
            or exists (select from missed_slot where slot = $1) as decided";
        if transaction.query_one(decided, &[&slot]).await?.column("decided")? {
            return Ok(SlotDecision::Decided);
        }
        if let Some(pause) = steering::paused(&*transaction, "extractor", now).await? {
            let reason = format!("the extractor was paused {}", pause.describe());
            return miss(transaction, slot, reason, now).await;
        }
        let open = "/* slot::open */ select id, status from pull where status not in ('success', 'failed')
            order by started_at limit 1";
        if let Some(row) = transaction.query_opt(open, &[]).await? {
            let (id, status): (i64, &str) = (row.column("id")?, row.column("status")?);
            let reason = format!("overlap: pull {id} is still {status}");
            return miss(transaction, slot, reason, now).await;
        }
        let opened = pull::insert(&*transaction, Some(slot), "schedule", now).await?;
        transaction.commit().await?;
        Ok(SlotDecision::Opened(opened))
    }

    /// Records slots that passed without anybody there to start them: returns how many were not decided before.
    pub async fn miss_slots(
        &self,
        slots: &[DateTime<Utc>],
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<u64, Error> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let lock = "/* slot::miss */ select pg_advisory_xact_lock(hashtext('slot'))";
        transaction.execute(lock, &[]).await?;
        let sql = "/* slot::miss */
            insert into missed_slot (slot, reason, recorded_at)
            select slot, $2, $3 from unnest($1::timestamptz[]) slot
            where not exists (select from pull where pull.slot = slot.slot)
            on conflict do nothing";
        let missed = transaction.execute(sql, &[&slots, &reason, &now]).await?;
        transaction.commit().await?;
        Ok(missed)
    }

    /// The latest slot that was decided, if any.
    pub async fn last_slot(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let sql = "/* slot::last */ select greatest((select max(slot) from pull), (select max(slot) from missed_slot)) as slot";
        self.client().await?.query_one(sql, &[]).await?.column("slot")
    }
}

/// Records why a slot gets no pull, as the end of its transaction.
async fn miss(
    transaction: Transaction<'_>,
    slot: DateTime<Utc>,
    reason: String,
    now: DateTime<Utc>,
) -> Result<SlotDecision, Error> {
    let sql = "/* slot::open */ insert into missed_slot (slot, reason, recorded_at) values ($1, $2, $3)";
    transaction.execute(sql, &[&slot, &reason, &now]).await?;
    transaction.commit().await?;
    Ok(SlotDecision::Missed(reason))
}
