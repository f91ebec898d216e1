//! Who may work on the lake's files: locks that are held for as long as the work takes.
//!
//! An election may be skipped and saves work; these guard it. Nothing is done without its lock, which is held by a session of
//! its own: those of the pool are there for the work. Work whose session ends is given up.

use std::time::Duration;

use deadpool::managed::Manager;
use deadpool_postgres::{Transaction, tokio_postgres::IsolationLevel};
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;

use crate::store::{Error, Store};

/// How often it is looked whether the lock is still held.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a session may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What is kept from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LakeLock {
    /// Compacting, tidying, erasing: one at a time. Builds of before elect by the same lock.
    Upkeep,
    /// Exports, many at a time: from before it is asked for the last erasure until the catalogue has the files.
    Exports,
    /// What no export may be under way for.
    NoExports,
}

impl LakeLock {
    const fn sql(self) -> &'static str {
        match self {
            Self::Upkeep => "pg_advisory_xact_lock(hashtext('duty'), hashtext('lake-upkeep'))",
            Self::Exports => "pg_advisory_xact_lock_shared(hashtext('lake'), hashtext('exports'))",
            Self::NoExports => "pg_advisory_xact_lock(hashtext('lake'), hashtext('exports'))",
        }
    }

    /// Why it could not be had, for a person.
    const fn busy(self) -> &'static str {
        match self {
            Self::Upkeep => "the lake is being compacted, tidied or searched: ask again later",
            Self::Exports => "the lake waits for exports to end, because a channel is being erased",
            Self::NoExports => {
                "an export to the lake has not come to its end, and may name the channel: ask again later"
            }
        }
    }
}

impl Store {
    /// Does `work` under a lock of the lake, which is waited for for so long.
    ///
    /// # Errors
    /// [`Error::LakeBusy`] where others hold it for longer; [`Error::Silent`] and others where the session ends during the work,
    /// which is given up then.
    pub async fn with_lake_lock<T, E: From<Error>>(
        &self,
        lock: LakeLock,
        patience: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let done = self.if_lake_lock(lock, patience, work).await?;
        done.ok_or_else(|| Error::LakeBusy(lock.busy()).into())
    }

    /// The same; none where others hold the lock for longer.
    pub async fn if_lake_lock<T, E: From<Error>>(
        &self,
        lock: LakeLock,
        patience: Duration,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<Option<T>, E> {
        let mut session = self.pool.manager().create().await?;
        let begun =
            session.build_transaction().isolation_level(IsolationLevel::ReadCommitted).read_only(true);
        let transaction = begun.start().await.map_err(Error::from)?;
        if !hold(&transaction, lock, patience).await? {
            return Ok(None);
        }
        let done = tokio::select! {
            done = work => done?,
            lost = loss(&transaction) => return Err(lost.into()),
        };
        // It ends with the session in any case.
        if let Err(error) = transaction.commit().await {
            tracing::debug!(?lock, %error, "a lock of the lake is not given back in the orderly way");
        }
        Ok(Some(done))
    }
}

/// Waits for the lock; false where others hold it for longer.
async fn hold(transaction: &Transaction<'_>, lock: LakeLock, patience: Duration) -> Result<bool, Error> {
    // Without a limit, 0 is.
    let patience = patience.as_millis().max(1);
    let sql = format!(
        "/* lake::hold */ set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;
         set local lock_timeout = {patience}; select {}",
        lock.sql()
    );
    match transaction.batch_execute(&sql).await {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
        held => Ok(held.map(|()| true)?),
    }
}

/// Ends when the session does.
async fn loss(transaction: &Transaction<'_>) -> Error {
    loop {
        sleep(LOOK_EVERY).await;
        match timeout(ANSWER_WITHIN, transaction.batch_execute("/* lake::held */ select 1")).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return Error::Silent,
        }
    }
}
