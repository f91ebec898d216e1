//! Table `missed_slot`: slots of the schedule that became no pull, and why.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Row;

use super::{Error, Store, column::Columns};

/// A scheduled time at which no pull was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissedSlot {
    /// The time.
    pub slot: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

impl Store {
    /// The newest missed slots, newest first.
    pub async fn missed_slots(&self, limit: i64) -> Result<Vec<MissedSlot>, Error> {
        let sql =
            "/* report::missed_slots */ select slot, reason from missed_slot order by slot desc limit $1";
        let missed = |row: &Row| Ok(MissedSlot { slot: row.column("slot")?, reason: row.column("reason")? });
        self.client().await?.query(sql, &[&limit]).await?.iter().map(missed).collect()
    }
}
