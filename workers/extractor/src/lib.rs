//! The extractor: pages through the live streams, validates each record, stores page after page, announces each.
//!
//! One step is one page: the state is in the database, so a crash, a stop or a second delivery goes on with the page
//! after the last stored one. A second delivery is harmless because a page can be stored only once; it announces the
//! last stored chunk again, once, in case the one before died between its commit and its publish. A page that could not
//! be stored is kept for the next try.

mod conclude;
mod hand;
mod page;
mod schedule;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
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
    helix::{self, Client},
    metrics,
    runtime::{Announcer, Duty, Job, Outcome, Step, Worker, every, sharing},
    schema::{ChunkRef, ChunkStored, PullRequested, RecordsRejected, StopReason},
    store::{Error, Extraction, Store, StoredPage, by_rule},
    topology::{Announcement, EXTRACTOR, Stage},
    work,
    worker_state::StatusReporter,
};

use crate::hand::Hand;

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
    /// The page that was fetched last, until it is stored.
    hand: Hand,
    /// Calls that were already put on a pull's account.
    booked: AtomicU64,
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
        let name = work::replica_name(&clock);
        let (hand, booked) = (Hand::default(), AtomicU64::new(0));
        Self { store, helix, clock, schedule, limits, name, hand, booked }
    }

    /// Fetches, validates and stores the next page of the pull.
    async fn next_page(&self, job: &Job<PullRequested>) -> Outcome {
        let pull = job.message.pull_id;
        let Some(so_far) = self.store.extraction(pull, &self.name, self.clock.now()).await? else {
            return Ok(Step::Hold(OTHERS_TURN));
        };
        // Before a page is stored the one before it is announced, confirmed: no more than one is ever untold.
        if let (0, Some(last)) = (job.steps, so_far.last_chunk()) {
            let again = self.announce(last).await?;
            return Ok(if so_far.ended { Step::Done(again) } else { Step::More(again) });
        }
        if so_far.ended {
            return Ok(Step::Done(Vec::new()));
        }
        let (stored, by_rule) = self.fetch_and_store(&so_far).await?;
        let announcements = announcements(stored.chunk, by_rule);
        match stored.stop_reason {
            Some(reason) => {
                tracing::info!(
                    pull = pull.0,
                    reason = reason.as_str(),
                    pages = stored.chunk.chunk,
                    "pull {pull} has all its pages: {}",
                    reason.as_str()
                );
                Ok(Step::Done(announcements))
            }
            None => Ok(Step::More(announcements)),
        }
    }

    /// Makes the partitions of the coming days, so that no pull has to.
    async fn make_partitions(self: Arc<Self>) -> Result<(), Failure> {
        let made = self.store.ensure_partitions(self.clock.now(), DAYS_AHEAD);
        self.store.if_elected("partitions-ahead", made).await?;
        Ok(())
    }

    /// Stores the next page: the one in hand, where storing it failed before, or else a fresh one.
    async fn fetch_and_store(
        &self,
        so_far: &Extraction,
    ) -> Result<(StoredPage, BTreeMap<String, u32>), Failure> {
        let page = self.hand.page(so_far, || self.fetch(so_far)).await?;
        let (view, calls) = (page.view(), self.helix.calls());
        let new = page.as_new(self.unbooked_calls(calls));
        let conclude = |facts| conclude(so_far, &view, facts, &self.limits);
        let stored = match self.store.store_page(so_far, &new, self.clock.now(), conclude).await {
            Ok(stored) => stored,
            Err(error) => {
                if !matches!(error, Error::Overtaken { .. }) {
                    self.hand.keep(so_far, page);
                }
                return Err(error.into());
            }
        };
        self.booked.store(calls, Ordering::Relaxed);
        let by_rule = by_rule(&page.rejects);
        count(&stored, &by_rule);
        tracing::info!(
            pull = so_far.pull_id.0,
            chunk = stored.chunk.chunk,
            stored = stored.stored,
            rejected = page.rejects.len(),
            duplicates = stored.duplicates,
            "{} is stored",
            stored.chunk
        );
        Ok((stored, by_rule))
    }

    async fn fetch(&self, so_far: &Extraction) -> Result<Page, Failure> {
        match self.helix.streams(so_far.cursor.as_deref()).await {
            Ok(page) => Ok(Page::validate(page, self.limits.min_viewers)),
            // Twitch sometimes refuses a cursor it gave a moment ago, and takes it when asked again
            // (github.com/twitchdev/issues/issues/91).
            Err(error @ helix::Error::BadRequest { .. }) if so_far.cursor.is_some() => {
                Err(Failure { class: shared::failure::Class::Transient, ..Failure::from(error) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The announcements of a chunk that was stored before.
    async fn announce(&self, chunk: ChunkRef) -> Result<Vec<Announcement>, Failure> {
        Ok(announcements(chunk, self.store.rejected_by_rule(chunk).await?))
    }

    /// Of so many calls made, those that are on no pull's account yet.
    fn unbooked_calls(&self, made: u64) -> i32 {
        i32::try_from(made.saturating_sub(self.booked.load(Ordering::Relaxed))).unwrap_or(i32::MAX)
    }
}

/// What there is to say of a stored chunk.
fn announcements(chunk: ChunkRef, by_rule: BTreeMap<String, u32>) -> Vec<Announcement> {
    let rejected = (!by_rule.is_empty()).then(|| Announcement::of(&RecordsRejected { chunk, by_rule }));
    rejected.into_iter().chain([EXTRACTOR.announce(&ChunkStored(chunk))]).collect()
}

/// Counts what became of a page's records.
fn count(page: &StoredPage, by_rule: &BTreeMap<String, u32>) {
    metrics::records("stored", u64::try_from(page.stored).unwrap_or_default());
    metrics::records("duplicate", u64::try_from(page.duplicates).unwrap_or_default());
    for (rule, records) in by_rule {
        metrics::records(rule, (*records).into());
    }
}

impl Worker for Extractor {
    type In = PullRequested;
    type Out = ChunkStored;

    const STAGE: Stage<PullRequested, ChunkStored> = EXTRACTOR;

    async fn handle(&self, jobs: &[Job<PullRequested>]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            outcomes.push(self.next_page(job).await);
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
        work::give_up_on_pull(&self.store, pull, &why, reason, Some(dead_letter), now).await
    }

    fn status_reporter(&self) -> Option<&dyn StatusReporter> {
        Some(&self.store)
    }

    async fn ready(&self) -> Result<(), Failure> {
        self.store.check().await?;
        self.helix.check().await
    }

    fn duties(self: Arc<Self>, announcer: Announcer) -> Vec<Duty> {
        let schedule = self.schedule.duty(&self.store, &self.clock, &announcer);
        let others = [
            work::token_validation(self.helix.clone()),
            every(PARTITIONS_EVERY, "partitions-ahead", sharing(&self, Self::make_partitions)),
        ];
        let dead_letters = dead_letters::duties(&self.store, &announcer, &self.clock);
        schedule.into_iter().chain(others).chain(dead_letters).collect()
    }
}
