//! COPY, which has no conflict clause, and which PostgreSQL gives all the time in the world.

use deadpool_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::{Error, Store, column::Columns};

/// Commits what was copied within this savepoint, and returns true; undoes it, and returns false, where one of its rows was
/// there already. Fails as the COPY did otherwise.
pub(super) async fn keep_copied(
    savepoint: Transaction<'_>,
    copied: Result<u64, tokio_postgres::Error>,
) -> Result<bool, Error> {
    match copied {
        Ok(_) => {
            savepoint.commit().await?;
            Ok(true)
        }
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            savepoint.rollback().await?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

impl Store {
    /// Returns the result of a transaction as it is. Where its wait for a lock timed out, ends the sessions that may never release
    /// it: of this user, in the middle of a COPY, and silent for as long as a transaction may be idle.
    ///
    /// A process that is frozen leaves its session so, and no limit of PostgreSQL's ends that: while a COPY waits for its client,
    /// `statement_timeout` has no effect (seen with 15.18), and the transaction does not count as idle.
    pub(super) async fn ending_frozen_copies<T>(&self, came: Result<T, Error>) -> Result<T, Error> {
        if came.as_ref().is_err_and(Error::waited_for_a_lock) {
            // Whether or not that succeeds, it is the lock that the message waits for.
            match self.end_frozen_copies().await {
                Ok(0) => {}
                Ok(ended) => {
                    tracing::warn!(
                        ended,
                        "ended sessions of processes that are frozen in the middle of a COPY"
                    );
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot end sessions that are frozen in the middle of a COPY");
                }
            }
        }
        came
    }

    /// Ends them; how many there were.
    async fn end_frozen_copies(&self) -> Result<i64, Error> {
        let sql = "/* copy::end_frozen_copies */
                select count(*) filter (where pg_terminate_backend(pid)) as ended
                from pg_stat_activity, cast(current_setting('idle_in_transaction_session_timeout') as interval) as longest
                where datname = current_database() and usename = session_user
                  and state = 'active' and wait_event = 'ClientRead' and query ~ '^/[*] .* copy .* from stdin'
                  and longest > interval '0' and query_start < clock_timestamp() - longest";
        self.client().await?.query_one(sql, &[]).await?.column("ended")
    }
}
