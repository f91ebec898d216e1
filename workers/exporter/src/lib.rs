//! The exporter: writes completed pulls to the data lake, as Parquet files with a DuckLake catalogue in PostgreSQL.
//!
//! A second delivery is harmless: a pull that the lake has as it is is left alone, a file is created once, and the catalogue
//! takes a pull in the transaction that marks it as exported. A pull that is made again replaces its files.

mod background;
mod blocking;
mod compact;
mod erase;
mod export;
pub mod format;
mod lake;
mod names;
mod prove;
mod requests;
mod rewrite;
mod sha256;
mod storage;
mod tidy;
mod unfinished;
mod verify;

use std::{sync::Arc, time::Duration};

use background::Background;
use chrono::TimeDelta;
use clap::Args;
use shared::{
    clock::Clock,
    config::{self, ConfigError, Database, SetupError},
    dead_letter::DeadLetterStore,
    failure::Failure,
    runtime::{Announcer, Duty, Job, Outcome, Step, Worker},
    schema::{PullClosed, PullExported},
    steering::Steering,
    store::{Exported, Store},
    topology::{EXPORTER, Stage},
    worker_state::StatusReporter,
};

pub use compact::Compacted;
pub use lake::Lake;
use storage::{FIRST_ANSWER, OF_ANOTHER};
pub use storage::{Storage, StorageError};
pub use tidy::Tidied;
pub use verify::{Findings, Mismatch};

/// The shortest grace time: far longer than an export takes from its first upload to its commit.
const SHORTEST_GRACE: TimeDelta = TimeDelta::hours(1);

/// The exporter's settings.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    lake: config::Lake,
    /// How long a file stays in storage after the last snapshot that has it, for whoever is reading it
    #[arg(long, env, default_value = "1day", value_name = "DURATION", value_parser = humantime::parse_duration)]
    lake_grace: Duration,
}

/// The worker.
#[derive(Debug)]
pub struct Exporter {
    lake: Lake,
    clock: Clock,
    grace: TimeDelta,
}

impl Exporter {
    /// Makes the worker. Only the storage is asked whether it is there and, where the database answers, whether it is that
    /// database's.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, SetupError> {
        let database = &settings.database;
        let store = Store::new(&database.url()?, database.database_connections, "exporter")?;
        let storage = Storage::open(&settings.lake)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::permanent("process.runtime", error.to_string()))?;
        runtime.block_on(storage.check())?;
        // Sessions end with the runtime that opened them.
        let asked = Store::new(&database.url()?, database.database_connections, "exporter")?;
        runtime.block_on(check_owner(&Lake::new(asked, storage.clone())))?;
        Ok(Self::of(store, storage, clock, grace(settings.lake_grace)?))
    }

    /// The worker, of its parts. `grace`: how long a file stays after the last snapshot that has it.
    pub fn of(store: Store, storage: Storage, clock: Clock, grace: TimeDelta) -> Self {
        Self { lake: Lake::new(store, storage), clock, grace }
    }

    /// The lake that it writes.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    async fn export(&self, pull: &PullClosed) -> Outcome {
        let exported = self.lake.export(pull, self.clock.now()).await?;
        if exported == Some(Exported::Now) {
            tracing::info!(
                pull = pull.pull_id.0,
                streams = pull.stored,
                "pull {} is in the lake",
                pull.pull_id
            );
        }
        let told = match exported {
            Some(Exported::Now | Exported::Before) => {
                let (pull_id, completed_at) = (pull.pull_id, pull.completed_at);
                let event = PullExported { pull_id, completed_at, streams: pull.stored.into() };
                vec![Self::STAGE.announce(&event)]
            }
            // Its next end will be announced.
            Some(Exported::Outdated) | None => Vec::new(),
        };
        Ok(Step::Done(told))
    }
}

/// Fails where `LAKE_URL` names another catalogue's storage. Whoever does not answer may do so later.
async fn check_owner(lake: &Lake) -> Result<(), ConfigError> {
    match tokio::time::timeout(FIRST_ANSWER, lake.check_owner()).await {
        Ok(Err(failure)) if [OF_ANOTHER, "lake.elsewhere", "lake.copied"].contains(&failure.code) => {
            Err(ConfigError::Unusable { name: "LAKE_URL".into(), why: failure.to_string() })
        }
        _ => Ok(()),
    }
}

fn grace(duration: Duration) -> Result<TimeDelta, ConfigError> {
    let unusable = |why: &str| ConfigError::Unusable { name: "LAKE_GRACE".into(), why: why.into() };
    let grace = TimeDelta::from_std(duration).map_err(|_| unusable("it is longer than anybody lives"))?;
    if grace < SHORTEST_GRACE {
        return Err(unusable("it must be at least 1h: a file may be in use, or about to be registered"));
    }
    Ok(grace)
}

impl Worker for Exporter {
    type In = PullClosed;
    type Out = PullExported;

    /// A day's files may have to be written anew, and go through a slow network.
    const HANDLE_TIMEOUT: Duration = Duration::from_mins(10);
    const STAGE: Stage<PullClosed, PullExported> = EXPORTER;

    async fn handle(&self, jobs: &[Job<PullClosed>]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(self.export(&job.message).await);
        }
        outcomes
    }

    fn dead_letters(&self) -> &dyn DeadLetterStore {
        &self.lake.store
    }

    fn status_reporter(&self) -> Option<&dyn StatusReporter> {
        Some(&self.lake.store)
    }

    fn steering(&self) -> Option<&dyn Steering> {
        Some(&self.lake.store)
    }

    async fn ready(&self) -> Result<(), Failure> {
        self.lake.store.check().await?;
        self.lake.open(self.clock.now()).await
    }

    fn duties(self: Arc<Self>, announcer: Announcer) -> Vec<Duty> {
        let (lake, clock, grace) = (self.lake.clone(), self.clock.clone(), self.grace);
        Background { lake, clock, announcer, grace }.duties()
    }
}
