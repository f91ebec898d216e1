//! The extractor: pages through the live streams, validates each record, stores page after page, announces each.
//!
//! One step stores the pages that have been read by then, and announces them: the state is in the database, so a crash, a
//! stop or a second delivery goes on with the page after the last stored one. A second delivery is harmless because a page
//! can be stored only once; it announces the last stored chunks again, once, in case the one before died between its
//! commit and its publish. Pages that could not be stored are kept for the next try.

mod chains;
mod conclude;
mod drift;
mod language;
mod page;
mod schedule;
mod sweep;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use clap::Args;
pub use conclude::{Limits, View, conclude};
pub use page::Page;
pub use schedule::{Schedule, ScheduleSettings};
use shared::{
    clock::Clock,
    config::{Database, SetupError, Twitch},
    dead_letter::{DeadLetter, DeadLetterStore},
    dead_letters,
    failure::Failure,
    helix::Client,
    metrics,
    operations::{self, Tools},
    pull::give_up_on_pull,
    replica::replica_name,
    runtime::{Announcer, Duty, Job, Outcome, Step, Worker, every, sharing},
    schema::{ChunkRef, ChunkStored, PullId, PullRequested, RecordsRejected, StopReason},
    steering::Steering,
    store::{Draft, Error, PullSettings, Store},
    token_validation::token_validation,
    topology::{Announcement, EXTRACTOR, Stage},
    version::VERSION,
    worker_state::{Allowance, StatusReporter},
};

use crate::sweep::{Reader, Sweep};

/// How soon to look again whether somebody else still fetches the pull.
const OTHERS_TURN: Duration = Duration::from_secs(1);

/// How often partitions are made ahead, and for how many days: after three days without an extractor, or of trouble, pulls
/// still find theirs.
const PARTITIONS_EVERY: Duration = Duration::from_hours(1);
const DAYS_AHEAD: u32 = 3;

/// The extractor's settings.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    twitch: Twitch,
    /// When pulls are started.
    #[command(flatten)]
    pub schedule: ScheduleSettings,
    /// What is fetched.
    #[command(flatten)]
    pub limits: Limits,
}

/// The worker.
#[derive(Debug)]
pub struct Extractor {
    store: Store,
    helix: Client,
    clock: Clock,
    schedule: Schedule,
    limits: Limits,
    /// Who this is among the replicas.
    name: String,
    /// The pulls in hand, as they are being fetched.
    sweeps: Mutex<HashMap<PullId, Sweep>>,
    /// Calls that were already put on a page's account.
    booked: Arc<AtomicU64>,
}

impl Extractor {
    /// Makes the worker; calls nobody yet.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, SetupError> {
        let database = &settings.database;
        let store = Store::new(&database.url()?, database.database_connections, "extractor")?;
        let helix = Client::new(&settings.twitch, Arc::new(store.clone()), clock.clone())?;
        let schedule = Schedule::new(&settings.schedule);
        Ok(Self::of(store, helix, clock, schedule, settings.limits.clone()))
    }

    /// The worker, of its parts.
    pub fn of(store: Store, helix: Client, clock: Clock, schedule: Schedule, limits: Limits) -> Self {
        let name = replica_name(&clock);
        let (sweeps, booked) = (Mutex::default(), Arc::default());
        Self { store, helix, clock, schedule, limits, name, sweeps, booked }
    }

    /// Stores the next pages of the pull, and announces them.
    async fn next_pages(&self, job: &Job<PullRequested>) -> Outcome {
        let pull = job.message.pull_id;
        let Some((mut sweep, mut announcements)) = self.take_up(job).await? else {
            return Ok(Step::Hold(OTHERS_TURN));
        };
        // Before pages are stored those before them are announced, confirmed: no more than a batch is ever untold.
        if announcements.is_empty() && !sweep.stored.ended {
            match self.store_pages(&mut sweep).await {
                Ok(pages) => announcements = pages.into_iter().flat_map(announce).collect(),
                // What was read is worth nothing where somebody else fetches the pull by now.
                Err(Unstored::Overtaken(failure)) => return Err(failure),
                Err(Unstored::Yet(failure)) => {
                    self.sweeps().insert(pull, sweep);
                    return Err(failure);
                }
            }
        }
        if sweep.stored.ended {
            drift::tell(&self.store, &sweep, self.clock.now()).await;
            return Ok(Step::Done(announcements));
        }
        self.sweeps().insert(pull, sweep);
        Ok(Step::More(announcements))
    }

    /// The pull as it is being fetched, and what may not have been announced of it, which each delivery does once, and again
    /// when it was overtaken; none while somebody else fetches it.
    async fn take_up(&self, job: &Job<PullRequested>) -> Result<Option<(Sweep, Vec<Announcement>)>, Failure> {
        let pull = job.message.pull_id;
        let known = match self.sweeps().remove(&pull) {
            Some(sweep) if job.steps > 0 => return Ok(Some((sweep, Vec::new()))),
            known => known,
        };
        let Some(so_far) = self.store.extraction(pull, &self.name, self.clock.now()).await? else {
            return Ok(None);
        };
        // Where others stored pages, or we did and never heard of it, nobody may have announced them.
        let unheard = job.steps == 0 || known.is_none();
        let untold = if unheard { self.store.untold(&so_far).await? } else { Vec::new() };
        let sweep = if let Some(sweep) = known.filter(|sweep| sweep.stored == so_far) {
            sweep
        } else {
            self.store.note_settings(pull, &self.settings()).await?;
            let seen = self.store.seen(&so_far).await?;
            let (helix, limits, booked) = (self.helix.clone(), self.limits.clone(), Arc::clone(&self.booked));
            Sweep::new(Reader::new(helix, limits, so_far, seen, booked)?)
        };
        let untold = untold.into_iter().flat_map(|(chunk, by_rule)| announcements(chunk, by_rule));
        Ok(Some((sweep, untold.collect())))
    }

    /// What pulls are fetched with.
    fn settings(&self) -> PullSettings {
        let Limits { min_viewers, max_pages, stop_below_min_viewers, ref side_by_side } = self.limits;
        let side_by_side = side_by_side.clone();
        let (schedule, build) = (self.schedule.to_string(), VERSION.to_owned());
        PullSettings { min_viewers, max_pages, stop_below_min_viewers, side_by_side, schedule, build }
    }

    /// Makes the partitions of the coming days, so that no pull has to.
    async fn make_partitions(self: Arc<Self>) -> Result<(), Failure> {
        let made = self.store.ensure_partitions(self.clock.now(), DAYS_AHEAD);
        self.store.if_elected("partitions-ahead", made).await?;
        Ok(())
    }

    /// Stores the pages that have been read; returns them.
    async fn store_pages(&self, sweep: &mut Sweep) -> Result<Vec<Draft>, Unstored> {
        sweep.read().await.map_err(Unstored::Yet)?;
        let now = self.clock.now();
        self.store.store_pages(&sweep.stored, sweep.drafts(), &self.name, now).await.map_err(|error| {
            match error {
                Error::Overtaken { .. } => Unstored::Overtaken(error.into()),
                error => Unstored::Yet(error.into()),
            }
        })?;
        let pages = sweep.settle();
        pages.iter().for_each(tell);
        Ok(pages)
    }

    fn sweeps(&self) -> std::sync::MutexGuard<'_, HashMap<PullId, Sweep>> {
        self.sweeps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why pages are not stored.
enum Unstored {
    /// They may be with the next try.
    Yet(Failure),
    /// Somebody else has stored pages of the pull.
    Overtaken(Failure),
}

/// What there is to say of a stored page.
fn announce(page: Draft) -> Vec<Announcement> {
    announcements(page.chunk, page.by_rule)
}

/// What there is to say of a stored chunk.
fn announcements(chunk: ChunkRef, by_rule: BTreeMap<String, u32>) -> Vec<Announcement> {
    let rejected = (!by_rule.is_empty()).then(|| Announcement::of(&RecordsRejected { chunk, by_rule }));
    rejected.into_iter().chain([EXTRACTOR.announce(&ChunkStored(chunk))]).collect()
}

/// Tells of a stored page, and counts what became of its records.
fn tell(page: &Draft) {
    let count = |records: i32| u64::try_from(records).unwrap_or_default();
    metrics::records("stored", count(page.stored));
    metrics::records("duplicate", count(page.duplicates));
    for (rule, records) in &page.by_rule {
        metrics::records(rule, (*records).into());
    }
    let (chunk, pull) = (page.chunk, page.chunk.pull_id);
    tracing::info!(
        pull = pull.0,
        chunk = chunk.chunk,
        stored = page.stored,
        rejected = page.by_rule.values().sum::<u32>(),
        duplicates = page.duplicates,
        "{chunk} is stored"
    );
    if let Some(reason) = page.stop_reason {
        let reason = reason.as_str();
        tracing::info!(pull = pull.0, reason, pages = chunk.chunk, "pull {pull} has all its pages: {reason}");
    }
}

impl Worker for Extractor {
    type In = PullRequested;
    type Out = ChunkStored;

    const STAGE: Stage<PullRequested, ChunkStored> = EXTRACTOR;

    async fn handle(&self, jobs: &[Job<PullRequested>]) -> Vec<Outcome> {
        self.sweeps().retain(|pull, _| jobs.iter().any(|job| job.message.pull_id == *pull));
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(self.next_pages(job).await);
        }
        outcomes
    }

    fn dead_letters(&self) -> &dyn DeadLetterStore {
        &self.store
    }

    async fn give_up(
        &self,
        message: &PullRequested,
        failure: &Failure,
        dead_letter: &DeadLetter,
    ) -> Result<Vec<Announcement>, Failure> {
        let (why, reason) = (format!("extractor: {failure}"), Some(StopReason::Error));
        let (pull, now) = (message.pull_id, self.clock.now());
        give_up_on_pull(&self.store, pull, &why, reason, Some(dead_letter), now).await
    }

    fn status_reporter(&self) -> Option<&dyn StatusReporter> {
        Some(&self.store)
    }

    fn allowance(&self) -> Option<Allowance> {
        let budget = self.helix.budget();
        Some(Allowance { left: budget.remaining, limit: budget.limit })
    }

    fn steering(&self) -> Option<&dyn Steering> {
        Some(&self.store)
    }

    async fn ready(&self) -> Result<(), Failure> {
        self.store.check().await?;
        self.helix.check().await
    }

    fn duties(self: Arc<Self>, announcer: Announcer) -> Vec<Duty> {
        let schedule = self.schedule.duty(&self.store, &self.clock, &announcer);
        let others = [
            token_validation(self.helix.clone()),
            every(PARTITIONS_EVERY, "partitions-ahead", sharing(&self, Self::make_partitions)),
        ];
        let dead_letters = dead_letters::duties(&self.store, &announcer, &self.clock);
        let tools = Tools { store: self.store.clone(), announcer, clock: self.clock.clone() };
        let operations = operations::duty(tools, format!("extractor {}", self.name));
        schedule.into_iter().chain(others).chain(dead_letters).chain([operations]).collect()
    }
}
