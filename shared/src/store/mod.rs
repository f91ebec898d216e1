//! PostgreSQL, the truth: one file a table, one function a statement (or one transaction), SQL inline.
//!
//! Every statement begins with a comment that names its function, so that it can be found from `pg_stat_activity`.
//! The store decides nothing about messages and knows nothing of Twitch.
//!
//! # Lock order
//!
//! Transactions lock in one order, so that no two of them wait for each other:
//!
//! 1. advisory locks,
//! 2. the catalogue (`twitch_…`, `missing_…`), each table by id,
//! 3. `helix_claim` by id,
//! 4. `pull` by id,
//! 5. `pull_chunk` by number,
//! 6. `pull_data`.
//!
//! A transaction leaves out what it does not need, and never goes back. A statement that locks several rows of a table locks
//! them in an ordered subquery first. Rows are locked `for no key update`: `for update` would also stop those who only
//! refer to the row by a foreign key.
//!
//! # Partitions
//!
//! Every statement on `pull_chunk` or `pull_data` compares `pulled_at` with a parameter. A join on `pull.started_at` is not
//! enough: PostgreSQL would plan and lock the partitions of all days to read those of one. Nor is an empty array: `= any('{}')`
//! leaves none out, so where nothing is meant nothing is asked.

mod address;
mod alarm;
mod catalogue;
mod chunk;
mod claim;
mod column;
mod election;
mod error;
mod letter;
mod letters;
mod migrate;
mod page;
mod partition;
mod progress;
mod pull;
mod reconcile;
mod rejected;
mod replay;
mod report;
mod rerun;
mod slot;
mod token;
mod watch;
mod worker_state;

use std::{sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use address::Address;
pub use alarm::{Alarm, AlarmLimits, DeadLetterDepth};
pub use chunk::{Merged, Need};
pub use claim::Kind;
pub use error::Error;
pub use letters::{LETTER_STATES, LetterEvent, LetterFilter, LetterGroup, LetterRow, WholeLetter};
pub use migrate::{Migrated, migrate};
pub use page::{NewPage, PageFacts, StoredPage, by_rule};
pub use progress::Progress;
pub use pull::Extraction;
pub use reconcile::{PageComparison, QueueContents};
pub use rejected::{Readmitted, RejectedGroup, RejectedRecord};
pub use replay::{Interrupted, Keeper, Outcome, Plan, ReplayLetter, ReplayReport};
pub use report::{MissedSlot, PullReport, StageSpan, Waiting};
pub use rerun::{Rerun, RerunFrom};
pub use slot::SlotDecision;
pub use watch::Stalled;
pub use worker_state::{RetryRow, WorkerRow};

/// How long a statement may take before PostgreSQL ends it; far above what any of ours needs.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);
/// Our statements look rows up by key. A plan is kept as long as its connection, and one made while a table is nearly empty
/// would go on reading that table from end to end when it has grown. What has no index is read so all the same, only
/// believed to be so dear that compiling the statement would seem to pay.
///
/// A statement is planned with its values, always: a plan that fits all values would plan and lock every partition there is.
const PLANNING: &str = "-c enable_seqscan=off -c jit=off -c plan_cache_mode=force_custom_plan";
/// How long to wait for somebody else's lock before the statement is given up and tried again.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a transaction of ours may stand open without a statement, holding its locks, before PostgreSQL ends its session.
const IDLE_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait for a connection: from the pool, and from PostgreSQL.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
    /// Few at a time stand for election, so that most connections are there for the work itself.
    elections: Arc<Semaphore>,
}

impl Store {
    /// A store at `url` with at most `connections` connections; `program` is how PostgreSQL shows them.
    ///
    /// Connects when first used, and again by itself after the database was away.
    pub fn new(url: &SecretString, connections: u16, program: &str) -> Result<Self, Error> {
        let address = Address::parse(url)?;
        let mut config = address.config()?;
        config
            .application_name(program)
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(Duration::from_secs(30))
            .options(format!(
                "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={} -c timezone=UTC \
                 {PLANNING}",
                STATEMENT_TIMEOUT.as_millis(),
                LOCK_TIMEOUT.as_millis(),
                IDLE_TRANSACTION_TIMEOUT.as_millis(),
            ));
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match address.tls()? {
            Some(tls) => Manager::from_config(config, MakeRustlsConnect::new(tls), recycling),
            None => Manager::from_config(config, NoTls, recycling),
        };
        let pool = Pool::builder(manager)
            .max_size(connections.into())
            .wait_timeout(Some(Duration::from_secs(30)))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(Error::Build)?;
        Ok(Self { pool, elections: Arc::new(Semaphore::new(usize::from(connections / 4).max(1))) })
    }

    /// Asks whether the database answers, and whether its schema is the one this build knows.
    pub async fn check(&self) -> Result<(), Error> {
        migrate::check(&*self.client().await?).await
    }

    async fn client(&self) -> Result<Object, Error> {
        Ok(self.pool.get().await?)
    }
}
