//! One of several replicas does what only one needs to do, run by run.
//!
//! An election saves work and guards nothing: who was elected may lose its connection, and with it the lock, in the middle
//! of its work. So what it does has to be harmless when two do it at once.

use deadpool_postgres::tokio_postgres::IsolationLevel;

use super::{Error, Store, column::Columns};

impl Store {
    /// Does `work` if nobody else is at the `task` just now; none if somebody is.
    ///
    /// The lock is held by a transaction, which works behind a pooler as well: it ends with the work, or with the process.
    pub async fn if_elected<T, E: From<Error>>(
        &self,
        task: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<Option<T>, E> {
        // With as many connections held for this as may be, it is done without an election.
        let Ok(_few_at_a_time) = self.elections.try_acquire() else { return work.await.map(Some) };
        let mut client = self.client().await?;
        // Where another isolation is the default, an old snapshot would be kept for as long as the work takes.
        let begun = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).read_only(true);
        let transaction = begun.start().await.map_err(Error::from)?;
        let elect = "/* election::if_elected */
            select pg_try_advisory_xact_lock(hashtext('duty'), hashtext($1)) as elected";
        let elected: bool =
            transaction.query_one(elect, &[&task]).await.map_err(Error::from)?.column("elected")?;
        if !elected {
            return Ok(None);
        }
        // It stands idle while the work is done on other connections. A simple statement, and the last: it ends the one before, whose
        // snapshot would hold up whoever waits for older ones, as a detached partition does.
        let patient = "set local idle_in_transaction_session_timeout = 0";
        transaction.batch_execute(patient).await.map_err(Error::from)?;
        let done = work.await?;
        // Whoever comes next is elected a moment later if this does not arrive.
        if let Err(error) = transaction.commit().await {
            tracing::debug!(task, %error, "the election is not ended in the orderly way");
        }
        Ok(Some(done))
    }
}
