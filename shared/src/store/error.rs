//! What can go wrong in the store, and what class of failure it is.

use std::fmt;

use deadpool::managed::{BuildError, PoolError};

use super::{
    sqlstate::{self, Meaning},
    suspicion,
};
use crate::{
    config::{ConfigError, SetupError},
    dial::{self, DialError},
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
    /// No server of the URL answers.
    #[error("PostgreSQL cannot be reached")]
    Unreachable(#[source] DialError),
    /// A server answers, and gives no session: a wrong password, a missing database, a limit.
    #[error("PostgreSQL was reached, but refused the connection")]
    Refused(#[source] DialError),
    /// A pooler gives one session to several programs.
    #[error(
        "DATABASE_URL leads to a pooler in transaction mode, such as PgBouncer's: there a session changes hands with its \
         settings and prepared statements. Let it use session mode, or connect to PostgreSQL directly"
    )]
    Shared,
    /// Every session of the pool was in use.
    #[error(
        "every session with PostgreSQL was in use for 30 s: DATABASE_CONNECTIONS says how many there are"
    )]
    Busy,
    /// Reads only.
    #[error("the database is read-only")]
    ReadOnly,
    /// The database cannot hold what is stored in it.
    #[error(
        "the database's encoding is {found}, in which titles cannot be stored, and nothing was changed: make a database \
         with `create database NAME encoding 'UTF8' template template0`"
    )]
    Encoding {
        /// The encoding found.
        found: String,
    },
    /// A statement failed.
    #[error("{}", .0.meaning.words)]
    Statement(#[source] StatementError),
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
    /// The migrator's own connection failed.
    #[error("the migrator lost its connection")]
    Migrator(#[source] sqlx::Error),
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
    /// A stored page cannot be read, or a page cannot be written.
    #[error("the page of {chunk} is not as this build writes it")]
    Page {
        /// Its chunk.
        chunk: ChunkRef,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A pull that has not come to its end cannot be made again.
    #[error("pull {pull} is under way ({status}): wait for its end, `operator wait {pull}`")]
    UnderWay {
        /// The pull.
        pull: PullId,
        /// Where it stands.
        status: String,
    },
    /// A pull that has come to its end cannot be cancelled.
    #[error("pull {pull} has ended already ({status})")]
    Ended {
        /// The pull.
        pull: PullId,
        /// How.
        status: String,
    },
    /// There is no answer: its host has vanished, its process was stopped, or it has far too much to do.
    #[error("the database does not answer")]
    Silent,
    /// A session that listened has ended.
    #[error("a session with PostgreSQL has ended")]
    SessionEnded,
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
    /// A file of the lake's catalogue left it meanwhile.
    #[error("somebody else has changed the lake meanwhile")]
    LakeMoved,
    /// Somebody else works on the lake, and for what a person can do about it.
    #[error("{0}")]
    LakeBusy(&'static str),
    /// What was staged for a load is not what the lake has.
    #[error(
        "nothing was loaded: the files have {staged} rows for {table}, and the lake's catalogue says {expected}. The lake may have changed \
         just now: try again, or ask `operator lake verify`"
    )]
    Staged {
        /// The table.
        table: &'static str,
        /// Rows that were copied.
        staged: i64,
        /// Rows that the catalogue has.
        expected: i64,
    },
    /// The lake is in another place.
    #[error(
        "the lake's files are in {found}, and LAKE_URL says {given}: move the files and note the new place in \
         lake.ducklake_metadata, or set LAKE_URL back"
    )]
    LakeElsewhere {
        /// Where the catalogue says they are.
        found: String,
        /// Where the settings say they are.
        given: String,
    },
    /// The lake is another database's.
    #[error(
        "this database is a copy, and the lake is its original's: `operator lake adopt` if it takes over from the original, \
         `operator lake reset` for a lake of its own"
    )]
    LakeCopied,
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

/// Why a statement failed, in PostgreSQL's words, and what that means.
#[derive(Debug)]
pub struct StatementError {
    meaning: Meaning,
    told: String,
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)
    }
}

impl std::error::Error for StatementError {}

impl Error {
    /// Whether somebody else holds what is needed.
    pub(super) fn waited_for_a_lock(&self) -> bool {
        matches!(self, Self::Statement(error) if error.meaning.class == Class::Contention)
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        let (meaning, told) = match error.as_db_error() {
            Some(error) => (Meaning::of(error.code().code()), sqlstate::words(error)),
            None => (Meaning::LOST, dial::chain(&error)),
        };
        if meaning.session {
            suspicion::raise();
        }
        Self::Statement(StatementError { meaning, told })
    }
}

impl From<PoolError<Self>> for Error {
    fn from(error: PoolError<Self>) -> Self {
        match error {
            PoolError::Backend(error) => error,
            // We wait for nothing else, never close the pool, and give it a runtime.
            _ => Self::Busy,
        }
    }
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
            Error::Unreachable(_) => (Class::Outage, "store.unreachable"),
            Error::Refused(_) => (Class::Outage, "store.login_refused"),
            Error::Shared => (Class::Outage, "store.pooler"),
            Error::Busy => (Class::Outage, "store.busy"),
            Error::ReadOnly => (Class::Outage, "store.read_only"),
            Error::Silent => (Class::Outage, "store.silent"),
            Error::Migrator(_) | Error::SessionEnded => (Class::Outage, "store.connection_lost"),
            Error::Encoding { .. } => (Class::Permanent, "store.encoding"),
            Error::Statement(failed) => (failed.meaning.class, failed.meaning.code),
            Error::NoSchema | Error::OldSchema { .. } | Error::NewSchema { .. } => {
                (Class::Outage, "store.schema")
            }
            Error::Column { .. } => (Class::Outage, "store.column"),
            Error::Url(_) | Error::Build(_) | Error::Migrate(_) => (Class::Permanent, "store.setup"),
            Error::NoPull(_) | Error::NoChunk(_) => (Class::Permanent, "store.not_there"),
            Error::UnderWay { .. } | Error::Unfetched(_) | Error::PagesGone { .. } => {
                (Class::Permanent, "pull.not_to_rerun")
            }
            Error::Ended { .. } => (Class::Permanent, "pull.ended"),
            Error::Page { .. } => (Class::Permanent, "store.page"),
            // By another extractor, or by our own commit whose answer was lost: no fault of the message.
            Error::Overtaken { .. } => (Class::Contention, "store.overtaken"),
            Error::LakeMoved => (Class::Contention, "lake.moved"),
            Error::Staged { .. } => (Class::Permanent, "redshift.rows"),
            Error::LakeBusy(_) => (Class::Contention, "lake.busy"),
            Error::LakeElsewhere { .. } => (Class::Outage, "lake.elsewhere"),
            Error::LakeCopied => (Class::Outage, "lake.copied"),
            Error::Replaced { .. } => (Class::Permanent, "replay.replaced"),
        };
        let failure = Self::of(class, code, &error);
        if code == sqlstate::TIMED_OUT { failure.timed_out() } else { failure }
    }
}
