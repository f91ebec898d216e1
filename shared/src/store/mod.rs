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
mod options;
mod page;
mod progress;
mod pull;
mod rejected;
mod replay;
mod report;
mod rerun;
mod session;
mod slot;
mod sqlstate;
mod token;
mod watch;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{Object, Pool, QueueMode},
};
use secrecy::SecretString;
use tokio::task::AbortHandle;

use address::Address;
pub use alarm::{Alarm, AlarmLimits, DeadLetterDepth};
pub use chunk::{Merged, Need};
pub use claim::Kind;
pub use error::{Error, StatementError};
pub use letter::Reconciled;
pub use letters::{LETTER_STATES, LetterEvent, LetterFilter, LetterGroup, LetterRow, WholeLetter};
pub use migrate::{Migrated, migrate};
pub use page::{NewPage, PageFacts, StoredPage};
pub use progress::Progress;
pub use pull::Extraction;
pub use rejected::{Readmitted, RejectedGroup, RejectedRecord};
pub use replay::{Interrupted, Keeper, Outcome, Plan, ReplayLetter, ReplayReport};
pub use report::{MissedSlot, PullReport, StageSpan, Waiting};
pub use rerun::{Rerun, RerunFrom};
use session::Sessions;
pub use slot::SlotDecision;
pub use watch::Stalled;

/// How long a session may be idle before it is closed.
const IDLE: Duration = Duration::from_mins(1);
/// How long to wait while every session is in use. Told in [`Error::Busy`].
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool<Sessions>,
    /// How long a session may be idle before it is closed.
    idle: Duration,
    sweeper: Arc<OnceLock<Sweeper>>,
}

impl Store {
    /// A store at `url` with at most `connections` sessions; `program` is how PostgreSQL shows them.
    ///
    /// Connects when first used, and again by itself after the database was unavailable. Sessions that are not needed are
    /// closed after a minute.
    pub fn new(url: &SecretString, connections: u16, program: &str) -> Result<Self, Error> {
        let sessions = Sessions::new(Address::parse(url)?, program)?;
        let pool = Pool::builder(sessions)
            .max_size(connections.into())
            // The session used last is used next: so the others become idle, and can be closed.
            .queue_mode(QueueMode::Lifo)
            .wait_timeout(Some(WAIT_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(Error::Build)?;
        Ok(Self { pool, idle: IDLE, sweeper: Arc::default() })
    }

    /// The same, which closes sessions that were idle for so long. Only before it is first used.
    #[must_use]
    pub fn idle_for(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }

    /// Asks whether the database answers and takes writes, and whether its schema is one that serves this build.
    pub async fn check(&self) -> Result<(), Error> {
        let session = self.client().await?;
        migrate::check(&session).await
    }

    async fn client(&self) -> Result<Object<Sessions>, Error> {
        self.sweeper.get_or_init(|| Sweeper::start(self.pool.clone(), self.idle));
        Ok(self.pool.get().await?)
    }
}

/// Closes sessions that are idle, as long as the store is there.
#[derive(Debug)]
struct Sweeper(AbortHandle);

impl Sweeper {
    fn start(pool: Pool<Sessions>, idle: Duration) -> Self {
        let sweep = async move {
            loop {
                tokio::time::sleep(idle / 4).await;
                pool.retain(|_, metrics| metrics.last_used() < idle);
            }
        };
        Self(tokio::spawn(sweep).abort_handle())
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}
