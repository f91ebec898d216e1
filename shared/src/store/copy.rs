//! The end of a COPY, which has no conflict clause.

use deadpool_postgres::Transaction;
use tokio_postgres::error::SqlState;

use super::Error;

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
