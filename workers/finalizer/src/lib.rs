//! The finalizer: merges stream, game and channel, several chunks at a time, and closes the pull when the last one is merged.
//!
//! A second delivery is harmless: a chunk is merged once, a pull closed once, each decided by one statement. It
//! announces the end of a closed pull again, in case the one before died between its commit and its publish.

mod alarms;
mod background;
mod duties;
mod gauges;
mod retention;
mod volume;
mod watch;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use background::Background;
use clap::Args;
use futures::{StreamExt, stream};
use shared::{
    clock::Clock,
    config::{Database, OwnerAccess, SetupError},
    dead_letter::{DeadLetter, DeadLetterStore},
    failure::{Class, Failure},
    pull::give_up_on_chunk,
    runtime::{Announcer, Duty, Job, Outcome, Step, Worker},
    schema::{ChannelsFilled, ChunkRef, PullClosed, PullId},
    steering::Steering,
    store::{AlarmLimits, Merged, Store},
    topology::{Announcement, FINALIZER, Stage},
    worker_state::StatusReporter,
};

/// Most chunks merged by one transaction, and transactions under way at the same time: PostgreSQL works on one while the
/// other is on its way.
const CHUNKS_TOGETHER: usize = 16;
const MERGES_IN_PARALLEL: usize = 2;

/// Connections for retention, opened for a run: one holds the election, one does the work.
const OWNER_CONNECTIONS: u16 = 2;

/// The finalizer's settings.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    retention: OwnerAccess,
    /// How long a pull may stand still before its announcements are made again, and, failing that, it is failed
    #[arg(long, env, default_value = "2m", value_name = "DURATION", value_parser = humantime::parse_duration)]
    stalled_after: Duration,
    /// How long a dead letter may lie in its queue before there is an alarm
    #[arg(long, env, default_value = "1h", value_name = "DURATION", value_parser = humantime::parse_duration)]
    alarm_age: Duration,
    /// How many more dead letters of a stage within ten minutes are an alarm
    #[arg(long, env, default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    alarm_growth: i64,
    /// A pull fails when more than this share of its records is rejected, streams below `MIN_VIEWERS` apart; 1 for never
    #[arg(long, env, default_value_t = 0.5, value_name = "SHARE", value_parser = share)]
    max_rejected_share: f64,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share is from 0 to 1".into()) }
}

/// The worker.
#[derive(Debug)]
pub struct Finalizer {
    store: Store,
    /// The database with the rights of the tables' owner, where they were given.
    owner: Store,
    clock: Clock,
    stalled_after: Duration,
    alarms: AlarmLimits,
    max_rejected_share: f64,
}

impl Finalizer {
    /// Makes the worker; calls nobody yet.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, SetupError> {
        let database = &settings.database;
        let store = Store::new(&database.url()?, database.database_connections, "finalizer")?;
        let owner = match settings.retention.url()? {
            Some(url) => Store::new(&url, OWNER_CONNECTIONS, "retention")?,
            None => store.clone(),
        };
        let alarms = AlarmLimits { age: settings.alarm_age, growth: settings.alarm_growth };
        Ok(Self::of(store, owner, clock, settings.stalled_after, alarms, settings.max_rejected_share))
    }

    /// The worker, of its parts.
    pub fn of(
        store: Store,
        owner: Store,
        clock: Clock,
        stalled_after: Duration,
        alarms: AlarmLimits,
        max_rejected_share: f64,
    ) -> Self {
        Self { store, owner, clock, stalled_after, alarms, max_rejected_share }
    }

    /// Merges all these chunks.
    async fn merge_all(&self, chunks: &[ChunkRef]) -> Vec<Result<Merged, Failure>> {
        let together = chunks.len().div_ceil(MERGES_IN_PARALLEL).clamp(1, CHUNKS_TOGETHER);
        let parts: Vec<_> = chunks.chunks(together).map(|part| self.merge(part)).collect();
        stream::iter(parts).buffered(MERGES_IN_PARALLEL).collect::<Vec<_>>().await.concat()
    }

    /// Merges chunks together, or one by one where one of them is to blame that it cannot be done.
    async fn merge(&self, chunks: &[ChunkRef]) -> Vec<Result<Merged, Failure>> {
        let merged = self.store.merge(chunks, self.clock.now()).await.map_err(Failure::from);
        match merged {
            Ok(merged) => merged.into_iter().map(Ok).collect(),
            Err(failure) if failure.class == Class::Permanent && chunks.len() > 1 => {
                let mut merged = Vec::with_capacity(chunks.len());
                for chunk in chunks {
                    let alone = self.store.merge(&[*chunk], self.clock.now()).await;
                    merged.extend(match alone {
                        Ok(alone) => alone.into_iter().map(Ok).collect(),
                        Err(error) => vec![Err(Failure::from(error))],
                    });
                }
                merged
            }
            Err(failure) => vec![Err(failure); chunks.len()],
        }
    }

    /// Closes the pull if its last chunk is merged; its event, if that is so, or if it was so `before`.
    async fn close(&self, pull: PullId, before: bool) -> Result<Option<PullClosed>, Failure> {
        let now = self.store.close(pull, self.max_rejected_share, self.clock.now()).await?;
        let closed = if now || before { self.store.closed(pull).await? } else { None };
        if let (true, Some(closed)) = (now, &closed) {
            match &closed.error {
                None => tracing::info!(
                    pull = pull.0,
                    stored = closed.stored,
                    "pull {pull} is complete: {} streams",
                    closed.stored
                ),
                Some(error) => tracing::error!(pull = pull.0, "pull {pull} has failed: {error}"),
            }
        }
        Ok(closed)
    }
}

impl Worker for Finalizer {
    type In = ChannelsFilled;
    type Out = PullClosed;

    const STAGE: Stage<ChannelsFilled, PullClosed> = FINALIZER;

    async fn handle(&self, jobs: &[Job<ChannelsFilled>]) -> Vec<Outcome> {
        let chunks: Vec<ChunkRef> = jobs.iter().map(|job| job.message.0).collect();
        let merged = self.merge_all(&chunks).await;

        // After the merges are committed, so that whoever merges last sees all of them.
        let pull_of = |job: &Job<ChannelsFilled>| job.message.0.pull_id;
        let before: HashSet<PullId> = jobs
            .iter()
            .zip(&merged)
            .filter(|(_, merged)| matches!(merged, Ok(Merged::Before)))
            .map(|(job, _)| pull_of(job))
            .collect();
        let mut closed: HashMap<PullId, Result<Option<PullClosed>, Failure>> = HashMap::new();
        for pull in jobs.iter().map(pull_of).collect::<HashSet<_>>() {
            closed.insert(pull, self.close(pull, before.contains(&pull)).await);
        }

        let mut outcomes = Vec::with_capacity(jobs.len());
        for (job, merged) in jobs.iter().zip(merged) {
            let outcome = match (merged, closed.get_mut(&pull_of(job))) {
                (Err(failure), _) => Err(failure),
                (Ok(_), Some(Err(failure))) => Err(failure.clone()),
                // One job of the pull carries its event.
                (Ok(_), Some(Ok(event))) => {
                    Ok(Step::Done(event.take().iter().map(|event| Self::STAGE.announce(event)).collect()))
                }
                (Ok(_), None) => Ok(Step::Done(Vec::new())),
            };
            outcomes.push(outcome);
        }
        outcomes
    }

    fn dead_letters(&self) -> &dyn DeadLetterStore {
        &self.store
    }

    async fn give_up(
        &self,
        message: &ChannelsFilled,
        failure: &Failure,
        dead_letter: &DeadLetter,
    ) -> Result<Vec<Announcement>, Failure> {
        give_up_on_chunk(&self.store, message.0, failure, dead_letter, self.clock.now()).await
    }

    fn status_reporter(&self) -> Option<&dyn StatusReporter> {
        Some(&self.store)
    }

    fn steering(&self) -> Option<&dyn Steering> {
        Some(&self.store)
    }

    async fn ready(&self) -> Result<(), Failure> {
        Ok(self.store.check().await?)
    }

    fn duties(self: Arc<Self>, announcer: Announcer) -> Vec<Duty> {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        let mut duties =
            duties::duties(Background::new(store, clock, announcer, self.stalled_after, self.alarms));
        duties.push(retention::duty(self.owner.clone(), self.clock.clone()));
        duties
    }
}
