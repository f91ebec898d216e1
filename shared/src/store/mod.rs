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
//! 6. `pull_data`,
//! 7. the tables of dead letters, all of them under an advisory lock of their own.
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

mod alarm;
mod budget;
mod catalogue;
mod channel;
mod chunk;
mod chunk_report;
mod claim;
mod column;
mod connection;
mod copy;
mod database_url;
mod dead_letter;
mod draft;
mod election;
mod entering;
mod environment;
mod erasure;
mod error;
mod event;
mod flow_rate;
mod history;
mod keeper;
mod lake;
mod legacy;
mod merge;
mod migrate;
mod missed_slot;
mod operation;
mod options;
mod orders;
mod page;
mod partition;
mod progress;
mod pull;
mod pull_end;
mod pull_list;
mod pull_settings;
mod queued;
mod record_shape;
mod reject_text;
mod rejected;
mod report;
mod rerun;
mod retention;
mod script;
mod session;
mod session_count;
mod session_settings;
mod silence;
mod slot;
mod sqlstate;
mod steering;
mod suspicion;
mod token;
mod top;
mod trace;
mod volume;
mod watch;
mod worker_state;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{Object, Pool, QueueMode},
};
use secrecy::SecretString;
use tokio::{sync::Semaphore, time::timeout};

pub use alarm::AlarmRow;
pub use chunk::{Need, Outlook};
pub use chunk_report::{ChunkReport, ChunkState, ChunkStream};
pub use claim::Kind;
use database_url::Address;
pub use dead_letter::{
    Alarm, AlarmLimits, Continued, DEAD_LETTER_STATES, DeadLetterDepth, DeadLetterDetails, DeadLetterEvent,
    DeadLetterFilter, DeadLetterGroup, DeadLetterRow, Interrupted, Outcome, PageComparison, Plan,
    ReplayLease, ReplayReport, ReplayedDeadLetter,
};
pub use draft::{Draft, NewPage, PageFacts, PlacedRecord, Seen};
pub use environment::Environment;
pub use erasure::{Begun, Places, Rewrite, Table, UnfinishedErasure};
pub use error::{Error, StatementError};
pub use event::{EventFilter, EventRow};
pub use flow_rate::StageMinute;
pub use history::HistoryEntry;
use keeper::Keeper;
pub use lake::{
    CatalogueFile, Expired, ExportMark, Exported, LakeAction, LakeLock, LakeRequest, LakeRows, LakeStatus,
    Manifest, Moved, PullFiles, Registered, TableStatus,
};
pub use legacy::{LegacyStore, ShadowedPull, pair};
pub use merge::Merged;
pub use migrate::{Migrated, migrate};
pub use missed_slot::MissedSlot;
pub use operation::{AuditRow, Claim, NewOperation, OperationNews, OperationRow, OperationStep, RENEW_EVERY};
pub use page::PAGES_TOGETHER;
pub use progress::Progress;
pub use pull::Extraction;
pub use pull_list::{PullFilter, RerunRow, StageEnds};
pub use pull_settings::PullSettings;
pub use queued::Queued;
pub use rejected::{RejectedGroup, RejectedRecord, Revalidated};
pub use report::{PullReport, StageSpan, Waiting};
pub use rerun::{Rerun, RerunFrom};
pub use retention::{
    LAKE_SNAPSHOTS, Leaving, Place, RETENTION_CLASSES, RetentionClass, RetentionRun, Stored, StoredDay, Ttl,
};
pub use script::{run_load, run_script};
use session::Sessions;
pub use session_count::most_sessions;
pub use slot::SlotDecision;
pub use steering::{RUN_ONCE_WITHIN, RunOnceReport};
pub use top::Top;
pub use trace::{
    Absence, CatalogueTrace, Difference, Missing, PullAttempt, PullFacts, PullTrace, Rejection, Sighting,
    StageWork, StoredStream, StreamTrace, TraceStep, Whereabouts,
};
pub use watch::Stalled;
pub use worker_state::{RetryRow, WorkerRow};

/// How long a session may be idle before it is closed.
const IDLE: Duration = Duration::from_mins(1);
/// How long to wait while every session is in use. Told in [`Error::Busy`].
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the answer may take whether the database can be used; less than whoever asks waits for it.
const CHECKED_WITHIN: Duration = Duration::from_secs(5);

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool<Sessions>,
    /// How long a session may be idle before it is closed.
    idle: Duration,
    keeper: Arc<OnceLock<Keeper>>,
    /// Few at a time stand for election, so that most sessions are there for the work itself.
    elections: Arc<Semaphore>,
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
        let elections = Arc::new(Semaphore::new(usize::from(connections / 4).max(1)));
        Ok(Self { pool, idle: IDLE, keeper: Arc::default(), elections })
    }

    /// The same, which closes sessions that were idle for so long. Only before it is first used.
    #[must_use]
    pub fn idle_for(self, idle: Duration) -> Self {
        Self { idle, ..self }
    }

    /// Asks whether the database answers and takes writes, and whether its schema is one that serves this build.
    pub async fn check(&self) -> Result<(), Error> {
        let session = self.client().await?;
        timeout(CHECKED_WITHIN, migrate::check(&session)).await.unwrap_or_else(|_| {
            suspicion::raise();
            Err(Error::Silent)
        })
    }

    async fn client(&self) -> Result<Object<Sessions>, Error> {
        self.keeper.get_or_init(|| Keeper::start(self.pool.clone(), self.idle));
        // Large, and part of everything that asks the store something.
        Ok(Box::pin(self.pool.get()).await?)
    }
}
