//! The partitions of `pull_chunk` and `pull_data`, one per day of `pull.started_at` in UTC.

use chrono::{DateTime, Days, Utc};
use deadpool_postgres::ClientWrapper;

use super::{Error, Store};

impl Store {
    /// Makes the partitions of the day of `now` and of `ahead` days after it, where they are not there yet. Any number of
    /// programs may do so at once. Each day is a transaction of its own; where they are all there, nothing is locked.
    ///
    /// # Errors
    /// Fails with a failure of class contention where a long transaction writes to `pull`: nothing is lost by trying
    /// again later.
    pub async fn ensure_partitions(&self, now: DateTime<Utc>, ahead: u32) -> Result<(), Error> {
        let client = self.client().await?;
        for day in 0..=ahead {
            let Some(at) = now.checked_add_days(Days::new(day.into())) else { break };
            ensure(&client, at).await?;
        }
        Ok(())
    }
}

/// Sees to it that the rows of a pull started at `at` have a place to go. Call it outside of other transactions.
pub(super) async fn ensure(client: &ClientWrapper, at: DateTime<Utc>) -> Result<(), Error> {
    let statement = client.prepare_cached("/* partition::ensure */ select ensure_partitions($1)").await?;
    client.execute(&statement, &[&at]).await?;
    Ok(())
}
