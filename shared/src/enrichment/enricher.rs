//! Filling chunks with what only Twitch knows: collect ids across the chunks in hand, ask a hundred at a time.
//!
//! What a chunk lacks is looked up once, when it arrives, and crossed off in memory from then on. A chunk whose ids are
//! all known passes at once. One that lacks some waits for company, so that a call carries a hundred ids instead of three,
//! but only while company can come. Ids that several chunks share are claimed before they are asked for, so replicas do
//! not ask twice; an answer is kept before anything is announced. A second delivery finds everything known and only
//! announces again.

use std::{
    collections::{HashMap, HashSet},
    marker::PhantomData,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{catalogue::Catalogue, settings::EnricherSettings};
use crate::{
    clock::Clock,
    config::{Database, SetupError, Twitch},
    dead_letter::{DeadLetter, DeadLetterStore},
    failure::Failure,
    helix::Client,
    pull::give_up_on_chunk,
    replica::replica_name,
    runtime::{Announcer, Duty, Job, Outcome, Step, Worker},
    schema::ChunkRef,
    steering::Steering,
    store::{Kind, Need, Store},
    token_validation::token_validation,
    topology::{Announcement, Stage},
    worker_state::{Allowance, StatusReporter},
};

/// How long what a chunk lacks is taken as it was looked up, where other replicas may ask for the same: less than their
/// claims outlive their answers.
const OTHERS_ASKED: Duration = Duration::from_secs(1);

/// A worker that fills chunks from one catalogue.
#[derive(Debug)]
pub struct Enricher<C> {
    pub(super) helix: Client,
    pub(super) store: Store,
    clock: Clock,
    pub(super) settings: EnricherSettings,
    /// How long what is kept counts as fresh.
    pub(super) max_age: Duration,
    /// Who this is among the replicas.
    pub(super) name: String,
    /// What the chunks in hand still lack.
    lacks: Mutex<HashMap<ChunkRef, Lack>>,
    /// Calls that were already put on a chunk's account.
    booked: AtomicU64,
    catalogue: PhantomData<fn() -> C>,
}

/// What a chunk in hand lacks, and since when that is known.
#[derive(Debug)]
pub(super) struct Lack {
    need: Need,
    since: Instant,
}

impl<C: Catalogue> Enricher<C> {
    /// Makes the worker; calls nobody yet. What is kept counts as fresh for `max_age`.
    pub fn new(
        database: &Database,
        twitch: &Twitch,
        settings: EnricherSettings,
        max_age: Duration,
        clock: Clock,
    ) -> Result<Self, SetupError> {
        let store = Store::new(&database.url()?, database.database_connections, C::STAGE.info().name)?;
        let helix = Client::new(twitch, Arc::new(store.clone()), clock.clone())?;
        Ok(Self::of(store, helix, clock, settings, max_age))
    }

    /// The worker, of its parts.
    pub fn of(
        store: Store,
        helix: Client,
        clock: Clock,
        settings: EnricherSettings,
        max_age: Duration,
    ) -> Self {
        let name = replica_name(&clock);
        let (lacks, booked) = (Mutex::default(), AtomicU64::new(0));
        Self { helix, store, clock, settings, max_age, name, lacks, booked, catalogue: PhantomData }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Fills the chunks of these jobs as far as it goes now, and announces those that have all they need.
    async fn fill(&self, jobs: &[Job<C::In>]) -> Result<Vec<Outcome>, Failure> {
        let chunks: Vec<ChunkRef> = jobs.iter().map(|job| C::chunk(&job.message)).collect();
        let held: Vec<Duration> = jobs.iter().map(|job| job.held).collect();
        let mut needs = self.needs(&chunks, &held).await?;
        let outcomes = self.ask_for(&chunks, &held, &mut needs).await?;
        self.remember(&chunks, needs, &outcomes);
        Ok(self.finish(&chunks, outcomes).await)
    }

    /// What the chunks lack: looked up for those that have arrived, remembered of those that were in hand.
    async fn needs(&self, chunks: &[ChunkRef], held: &[Duration]) -> Result<Vec<Option<Need>>, Failure> {
        let mut lacks = std::mem::take(&mut *self.lacks());
        // A delivery that came after the look may tell of streams that have entered the chunk since.
        for (chunk, held) in chunks.iter().zip(held) {
            let outdated = |lack: &Lack| {
                let age = lack.since.elapsed();
                age > *held || C::SHARED && age > OTHERS_ASKED
            };
            if lacks.get(chunk).is_some_and(outdated) {
                lacks.remove(chunk);
            }
        }
        let arrived: HashSet<ChunkRef> =
            chunks.iter().filter(|chunk| !lacks.contains_key(chunk)).copied().collect();
        let arrived: Vec<ChunkRef> = arrived.into_iter().collect();
        let since = Instant::now();
        let (age, retry) = (self.max_age, self.settings.missing_retry_after);
        let found = self.store.needs(C::KIND, &arrived, age, retry, self.now()).await?;
        for (chunk, need) in arrived.into_iter().zip(found) {
            if let Some(need) = need {
                lacks.insert(chunk, Lack { need, since });
            }
        }
        let needs = chunks.iter().map(|chunk| lacks.get(chunk).map(|lack| lack.need.clone())).collect();
        *self.lacks() = lacks;
        Ok(needs)
    }

    /// Keeps in memory what those chunks lack that stay in hand.
    fn remember(&self, chunks: &[ChunkRef], needs: Vec<Option<Need>>, outcomes: &[Option<Outcome>]) {
        let mut lacks = self.lacks();
        let mut before = std::mem::take(&mut *lacks);
        for ((chunk, need), outcome) in chunks.iter().zip(needs).zip(outcomes) {
            if let (Some(need), Some(Ok(_)), Some(lack)) = (need, outcome, before.remove(chunk)) {
                lacks.insert(*chunk, Lack { need, ..lack });
            }
        }
    }

    pub(super) fn lacks(&self) -> MutexGuard<'_, HashMap<ChunkRef, Lack>> {
        self.lacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the chunks that have all they need, and announces them.
    async fn finish(&self, chunks: &[ChunkRef], outcomes: Vec<Option<Outcome>>) -> Vec<Outcome> {
        let filled: Vec<ChunkRef> = outcomes
            .iter()
            .zip(chunks)
            .filter(|(outcome, _)| outcome.is_none())
            .map(|(_, chunk)| *chunk)
            .collect();
        let noted = if filled.is_empty() { Ok(()) } else { self.note(&filled).await };
        let done = |chunk: &ChunkRef| match &noted {
            Ok(()) => Ok(Step::Done(vec![C::STAGE.announce(&C::filled(*chunk))])),
            Err(failure) => Err(failure.clone()),
        };
        outcomes
            .into_iter()
            .zip(chunks)
            .map(|(outcome, chunk)| outcome.unwrap_or_else(|| done(chunk)))
            .collect()
    }

    /// Notes them, and the calls that were made since the last were noted.
    async fn note(&self, filled: &[ChunkRef]) -> Result<(), Failure> {
        let made = self.helix.calls();
        let calls = made.saturating_sub(self.booked.load(Ordering::Relaxed));
        let calls = i32::try_from(calls).unwrap_or(i32::MAX);
        self.store.filled(C::KIND, filled, calls, self.now()).await?;
        self.booked.store(made, Ordering::Relaxed);
        if C::KIND == Kind::Game {
            let pulls: HashSet<_> = filled.iter().map(|chunk| chunk.pull_id).collect();
            for pull in pulls {
                self.store.games_filled(pull).await?;
            }
        }
        Ok(())
    }
}

impl<C: Catalogue> Worker for Enricher<C> {
    type In = C::In;
    type Out = C::Out;

    const STAGE: Stage<C::In, C::Out> = C::STAGE;

    async fn handle(&self, jobs: &[Job<C::In>]) -> Vec<Outcome> {
        let filled = self.fill(jobs).await;
        filled.unwrap_or_else(|failure| jobs.iter().map(|_| Err(failure.clone())).collect())
    }

    fn dead_letters(&self) -> &dyn DeadLetterStore {
        &self.store
    }

    async fn give_up(
        &self,
        message: &C::In,
        failure: &Failure,
        dead_letter: &DeadLetter,
    ) -> Result<Vec<Announcement>, Failure> {
        give_up_on_chunk(&self.store, C::chunk(message), failure, dead_letter, self.now()).await
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

    fn duties(self: Arc<Self>, _announcer: Announcer) -> Vec<Duty> {
        vec![token_validation(self.helix.clone())]
    }
}
