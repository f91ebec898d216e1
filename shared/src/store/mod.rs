//! PostgreSQL, the truth: one file a table, one function a statement (or one transaction), SQL inline.
//!
//! Every statement begins with a comment that names its function, so that it can be found from `pg_stat_activity`.
//! The store decides nothing about messages and knows nothing of Twitch.

mod address;
mod alarm;
mod catalogue;
mod chunk;
mod claim;
mod error;
mod letter;
mod letters;
mod migrate;
mod page;
mod progress;
mod pull;
mod rejected;
mod replay;
mod report;
mod rerun;
mod slot;
mod token;
mod watch;

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use secrecy::SecretString;
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use address::Address;
pub use alarm::{Alarm, AlarmLimits, DeadLetterDepth};
pub use chunk::{Merged, Need};
pub use claim::Kind;
pub use error::Error;
pub use letter::Reconciled;
pub use letters::{LETTER_STATES, LetterEvent, LetterFilter, LetterGroup, LetterRow, WholeLetter};
pub use migrate::{Migrated, migrate};
pub use page::{NewPage, PageFacts, StoredPage, by_rule};
pub use progress::Progress;
pub use pull::Extraction;
pub use rejected::{Readmitted, RejectedGroup, RejectedRecord};
pub use replay::{Interrupted, Keeper, Outcome, Plan, ReplayLetter, ReplayReport};
pub use report::{MissedSlot, PullReport, StageSpan, Waiting};
pub use rerun::{Rerun, RerunFrom};
pub use slot::SlotDecision;
pub use watch::Stalled;

/// How long a statement may take before PostgreSQL ends it; far above what any of ours needs.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(1);
/// Our statements look rows up by key. A plan is kept as long as its connection, and one made while a table is nearly empty
/// would go on reading that table from end to end when it has grown. What has no index is read so all the same, only
/// believed to be so dear that compiling the statement would seem to pay.
const PLANNING: &str = "-c enable_seqscan=off -c jit=off";
/// How long to wait for a connection: from the pool, and from PostgreSQL.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
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
                "-c statement_timeout={} -c timezone=UTC {PLANNING}",
                STATEMENT_TIMEOUT.as_millis()
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
        Ok(Self { pool })
    }

    /// Asks whether the database answers, and whether its schema is the one this build knows.
    pub async fn check(&self) -> Result<(), Error> {
        migrate::check(&*self.client().await?).await
    }

    async fn client(&self) -> Result<Object, Error> {
        Ok(self.pool.get().await?)
    }
}
