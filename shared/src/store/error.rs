//! What can go wrong in the store, and what class of failure it is.

use deadpool_postgres::{BuildError, PoolError};
use tokio_postgres::error::SqlState;

use crate::{
    config::{ConfigError, SetupError},
    failure::{Class, Failure},
    schema::{ChunkRef, PullId},
};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL cannot be used, and why. It is a secret, so it is not shown.
    #[error("DATABASE_URL cannot be used: {0}")]
    Url(String),
    /// The pool cannot be made.
    #[error("the connection pool cannot be made")]
    Build(#[source] BuildError),
    /// No connection could be had.
    #[error("PostgreSQL cannot be reached")]
    Connect(#[from] PoolError),
    /// A statement failed.
    #[error("a statement failed")]
    Statement(#[from] tokio_postgres::Error),
    /// A column cannot be read: the schema is not of the shape that this build knows.
    #[error("column {name} of an answer cannot be read")]
    Column {
        /// The column.
        name: &'static str,
        /// What the driver says of it.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A migration failed.
    #[error("the migration failed")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The migrator could not connect.
    #[error("PostgreSQL cannot be reached for the migration")]
    MigrateConnect(#[source] sqlx::Error),
    /// The database was never migrated.
    #[error("the database has no schema yet: run `operator migrate`")]
    NoSchema,
    /// The database is older than this build.
    #[error("the database has schema {found}, and this build needs {known}: run `operator migrate`")]
    OldSchema {
        /// The version found.
        found: i64,
        /// The version this build knows.
        known: i64,
    },
    /// The database is newer than this build.
    #[error(
        "the database has schema {found}, which does not promise to serve builds of schema {known}: run a newer build"
    )]
    NewSchema {
        /// The version found.
        found: i64,
        /// The version this build knows.
        known: i64,
    },
    /// A message names a pull that is not there.
    #[error("there is no pull {0}")]
    NoPull(PullId),
    /// A message names a chunk that is not there.
    #[error("{0} is not there")]
    NoChunk(ChunkRef),
    /// A pull that has not come to its end cannot be made again.
    #[error("pull {pull} is under way ({status}): wait for its end, `operator wait {pull}`")]
    UnderWay {
        /// The pull.
        pull: PullId,
        /// Where it stands.
        status: String,
    },
    /// A pull whose pages were not all fetched cannot be made again from them.
    #[error("the pages of pull {0} were not all fetched: replay its dead letter, or make another pull")]
    Unfetched(PullId),
    /// Pages were dropped with their day.
    #[error(
        "pull {pull} had {known} pages, of which {there} are still there: the rest was dropped with its day"
    )]
    PagesGone {
        /// The pull.
        pull: PullId,
        /// How many it had.
        known: i64,
        /// How many there are.
        there: i64,
    },
    /// Somebody else carries a replay out by now.
    #[error("replay {replay} was silent for so long that somebody else has finished it: see its report")]
    Replaced {
        /// The replay.
        replay: i64,
    },
    /// Somebody else stored this page first.
    #[error("page {page} of pull {pull} was stored by somebody else meanwhile")]
    Overtaken {
        /// The pull.
        pull: PullId,
        /// The page's number.
        page: i32,
    },
}

impl Error {
    /// The SQLSTATE, where PostgreSQL sent one.
    fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Statement(error) => error.code(),
            _ => None,
        }
    }
}

/// Classes 08 (connection), 53 (resources), 57 (operator intervention) and 58 (system) are the server's trouble, not
/// the statement's. Source: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn is_outage(state: &SqlState) -> bool {
    ["08", "53", "57P", "58"].iter().any(|class| state.code().starts_with(class))
}

impl From<Error> for SetupError {
    fn from(error: Error) -> Self {
        match error {
            Error::Url(why) => ConfigError::Unusable { name: "DATABASE_URL".into(), why }.into(),
            error => Failure::from(error).into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (class, code) = match &error {
            Error::Connect(_) | Error::MigrateConnect(_) => (Class::Outage, "store.unreachable"),
            Error::NoSchema | Error::OldSchema { .. } | Error::NewSchema { .. } => {
                (Class::Outage, "store.schema")
            }
            Error::Column { .. } => (Class::Outage, "store.column"),
            Error::Url(_) | Error::Build(_) | Error::Migrate(_) => (Class::Permanent, "store.setup"),
            Error::NoPull(_) | Error::NoChunk(_) => (Class::Permanent, "store.not_there"),
            Error::UnderWay { .. } | Error::Unfetched(_) | Error::PagesGone { .. } => {
                (Class::Permanent, "pull.not_to_rerun")
            }
            Error::Overtaken { .. } => (Class::Transient, "store.overtaken"),
            Error::Replaced { .. } => (Class::Permanent, "replay.replaced"),
            Error::Statement(_) => match error.state() {
                None => (Class::Outage, "store.connection_lost"),
                Some(state) if is_outage(state) => (Class::Outage, "store.unavailable"),
                // A serialization failure, a deadlock, a lock that somebody else holds for long.
                Some(state) if ["40001", "40P01", "55P03"].contains(&state.code()) => {
                    (Class::Contention, "store.contention")
                }
                // Class 40 is a conflict with another transaction; 57014 a statement that took too long; 0A000 a
                // prepared statement from before a migration.
                Some(state) if ["40", "57", "0A", "55"].iter().any(|c| state.code().starts_with(c)) => {
                    (Class::Transient, "store.conflict")
                }
                Some(state) if ["22", "23"].iter().any(|class| state.code().starts_with(class)) => {
                    (Class::Permanent, "store.refused")
                }
                Some(_) => (Class::Permanent, "store.statement"),
            },
        };
        Self::of(class, code, &error)
    }
}
