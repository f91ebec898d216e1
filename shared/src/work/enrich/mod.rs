//! Filling chunks with what only Twitch knows: collect ids across the chunks in hand, ask a hundred at a time.
//!
//! What a chunk lacks is looked up once, when it arrives, and crossed off in memory from then on. A chunk whose ids are
//! all known passes at once. One that lacks some waits for company, so that a call carries a hundred ids instead of three,
//! but only while company can come. Ids that several chunks share are claimed before they are asked for, so replicas do
//! not ask twice; an answer is kept before anything is announced. A second delivery finds everything known and only
//! announces again.

mod ask;
mod plan;

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use clap::Args;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use self::plan::{FULL_CALL, Plan, patience};
use crate::{
    clock::Clock,
    failure::Failure,
    helix::{self, Batch, Client},
    runtime::{Job, Outcome, Step},
    schema::{ChunkRef, Missing, PullId},
    store::{self, Kind, Need, Store},
    topology::Announcement,
};

/// Calls under way at the same time: the latency of one is spent on the others.
const CALLS_IN_PARALLEL: usize = 4;
/// Most answers kept by one statement, and statements under way at the same time: the next calls are made meanwhile.
const ANSWERS_TOGETHER: usize = 8;
const KEEPS_IN_PARALLEL: usize = 2;
/// How long to wait for an answer that another replica asked for.
const OTHERS_ANSWER: Duration = Duration::from_millis(250);
/// How soon to look again whether company can still come.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// A batch this large that is refused to the last id was refused for another reason than its ids.
const SUSPICIOUS: usize = 10;

/// How an enricher collects.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Asking Twitch")]
pub struct EnricherSettings {
    /// How long a chunk may wait for others before fewer than 100 ids are requested
    #[arg(long, env, default_value = "1s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub collect_for: Duration,
    /// When to ask again for what Twitch did not know
    #[arg(long, env, default_value = "1h", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub missing_retry_after: Duration,
}

/// Reads a limit of age, where `0` stands for none at all: what is known is never fresh.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// What can be asked for by id and kept: games, channels.
pub trait Catalogue: Send + Sync + 'static {
    /// Which it is.
    const KIND: Kind;
    /// Whether several chunks of a pull may need the same id, so that replicas have to agree who asks.
    const SHARED: bool;
    /// What it is asked for by.
    type Id: TryFrom<String> + AsRef<str> + Clone + Send + Sync;
    /// What comes back.
    type Item: Send + Sync;

    /// The id of what came back.
    fn id(item: &Self::Item) -> &str;

    /// Asks Twitch; at most a hundred ids.
    fn ask(
        helix: &Client,
        ids: &[Self::Id],
    ) -> impl Future<Output = Result<Batch<Self::Id, Self::Item>, helix::Error>> + Send;

    /// Keeps answers; `seen` is a chunk that needed them.
    fn keep(
        store: &Store,
        found: Vec<&Self::Item>,
        missing: &[Missing],
        seen: ChunkRef,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), store::Error>> + Send;
}

/// Fills chunks from one catalogue.
#[derive(Debug)]
pub struct Enricher {
    helix: Client,
    store: Store,
    clock: Clock,
    settings: EnricherSettings,
    /// How long what is kept counts as fresh.
    max_age: Duration,
    /// Who this is among the replicas.
    name: String,
    /// What the chunks in hand still lack.
    lacks: Mutex<HashMap<ChunkRef, Lack>>,
    /// Calls that were already put on a chunk's account.
    booked: AtomicU64,
}

/// What a chunk in hand lacks, and since when that is known.
#[derive(Debug)]
struct Lack {
    need: Need,
    since: Instant,
}

/// An id that is needed, and the first chunk that needs it.
type Wanted = (String, ChunkRef);

/// Ids that were asked for, and what came of it.
type Asked<T> = (Vec<Wanted>, Result<(Vec<T>, Vec<Missing>), Failure>);
/// Ids that were answered, what was found of them, and what was not.
type Answer<T> = (Vec<Wanted>, Vec<T>, Vec<Missing>);

/// What became of each id that was asked for.
type Answered = HashMap<String, Result<(), Failure>>;

impl Enricher {
    /// An enricher for which what is kept counts as fresh for `max_age`.
    pub fn new(
        helix: Client,
        store: Store,
        clock: Clock,
        settings: EnricherSettings,
        max_age: Duration,
    ) -> Self {
        let name = super::replica_name(&clock);
        let (lacks, booked) = (Mutex::default(), AtomicU64::new(0));
        Self { helix, store, clock, settings, max_age, name, lacks, booked }
    }

    /// The client.
    pub fn helix(&self) -> &Client {
        &self.helix
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether the database and Twitch can be used.
    pub async fn ready(&self) -> Result<(), Failure> {
        self.store.check().await?;
        self.helix.check().await
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Fills the chunks of these jobs as far as it goes now, and announces those that have all they need.
    pub async fn fill<C: Catalogue, In>(
        &self,
        jobs: &[Job<In>],
        chunk: impl Fn(&In) -> ChunkRef,
        announce: impl Fn(ChunkRef) -> Announcement,
    ) -> Vec<Outcome> {
        let chunks: Vec<ChunkRef> = jobs.iter().map(|job| chunk(&job.message)).collect();
        let held: Vec<Duration> = jobs.iter().map(|job| job.held).collect();
        let filled = async {
            let mut needs = self.needs::<C>(&chunks, &held).await?;
            let outcomes = self.ask_for::<C>(&chunks, &held, &mut needs).await?;
            self.remember(&chunks, needs, &outcomes);
            Ok(self.finish::<C>(&chunks, outcomes, announce).await)
        };
        filled.await.unwrap_or_else(|failure: Failure| jobs.iter().map(|_| Err(failure.clone())).collect())
    }

    /// What the chunks lack: looked up for those that have arrived, remembered of those that were in hand.
    async fn needs<C: Catalogue>(
        &self,
        chunks: &[ChunkRef],
        held: &[Duration],
    ) -> Result<Vec<Option<Need>>, Failure> {
        let mut lacks = std::mem::take(&mut *self.lacks());
        // A delivery that came after the look may tell of streams that have entered the chunk since.
        for (chunk, held) in chunks.iter().zip(held) {
            if lacks.get(chunk).is_some_and(|lack| lack.since.elapsed() > *held) {
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

    fn lacks(&self) -> std::sync::MutexGuard<'_, HashMap<ChunkRef, Lack>> {
        self.lacks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for what it is time to ask for, crosses off what is answered, and tells what becomes of each chunk: none of
    /// one that has all it needs.
    async fn ask_for<C: Catalogue>(
        &self,
        chunks: &[ChunkRef],
        held: &[Duration],
        needs: &mut [Option<Need>],
    ) -> Result<Vec<Option<Outcome>>, Failure> {
        let mut plan = Plan::of(chunks, needs);
        let (more, mut waits) = (plan.more, HashMap::new());
        if plan.is_short() {
            waits = self.waits::<C>(chunks, needs).await?;
            let overdue = |(chunk, held): (&ChunkRef, &Duration)| {
                waits.get(&chunk.pull_id).is_some_and(|wait| held >= wait)
            };
            if !chunks.iter().zip(held).any(overdue) {
                plan = plan.only_full_calls();
            }
        }
        let (claimed, elsewhere) = self.claim::<C>(plan.wanted).await?;
        let answered = self.ask_all::<C>(claimed).await;
        let outcome = |((need, chunk), held): ((&mut Option<Need>, &ChunkRef), &Duration)| {
            let Some(need) = need else { return Some(Err(store::Error::NoChunk(*chunk).into())) };
            if let Some(failure) = cross_off(need, &answered) {
                return Some(Err(failure));
            }
            if need.ids.is_empty() {
                return None;
            }
            if more {
                return Some(Ok(Step::Hold(Duration::ZERO)));
            }
            let wait = waits.get(&chunk.pull_id).copied().unwrap_or(OTHERS_ANSWER);
            let left = wait.saturating_sub(*held);
            Some(Ok(Step::Hold(if left.is_zero() { OTHERS_ANSWER } else { left.min(LOOK_AGAIN) })))
        };
        let outcomes = needs.iter_mut().zip(chunks).zip(held).map(outcome).collect();
        if elsewhere {
            // Whoever asks for them writes down what comes of it: it is looked up again.
            self.lacks().clear();
        }
        Ok(outcomes)
    }

    /// How long the chunks wait for company, by their pull; none for pulls of which nothing is lacking.
    async fn waits<C: Catalogue>(
        &self,
        chunks: &[ChunkRef],
        needs: &[Option<Need>],
    ) -> Result<HashMap<PullId, Duration>, Failure> {
        let in_hand: HashSet<ChunkRef> = chunks.iter().copied().collect();
        let mut waits = HashMap::new();
        for (chunk, need) in chunks.iter().zip(needs) {
            let lacking = need.as_ref().is_some_and(|need| !need.ids.is_empty());
            if lacking && !waits.contains_key(&chunk.pull_id) {
                let outlook = self.store.outlook(C::KIND, chunk.pull_id, chunk.pulled_at).await?;
                let here = in_hand.iter().filter(|other| other.pull_id == chunk.pull_id).count();
                waits.insert(chunk.pull_id, patience(outlook, here, self.settings.collect_for));
            }
        }
        Ok(waits)
    }

    /// Claims the ids where that is needed; returns those that are ours to ask, and whether some are somebody else's.
    async fn claim<C: Catalogue>(&self, wanted: Vec<Wanted>) -> Result<(Vec<Wanted>, bool), Failure> {
        if !C::SHARED || wanted.is_empty() {
            return Ok((wanted, false));
        }
        let ids: Vec<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
        let ours = self.store.claim(C::KIND, &ids, &self.name, self.now()).await?;
        let ours: HashSet<String> = ours.into_iter().collect();
        let elsewhere = ours.len() < wanted.len();
        Ok((wanted.into_iter().filter(|(id, _)| ours.contains(id)).collect(), elsewhere))
    }

    /// Asks for all these ids, a hundred at a time; tells for each whether it was answered. While answers are kept the
    /// next calls are made.
    async fn ask_all<C: Catalogue>(&self, wanted: Vec<Wanted>) -> Answered {
        let calls: Vec<Vec<Wanted>> = wanted.chunks(FULL_CALL).map(<[Wanted]>::to_vec).collect();
        stream::iter(calls)
            .map(|wanted| async move {
                let asked = self.ask::<C>(&wanted).await;
                (wanted, asked)
            })
            .buffer_unordered(CALLS_IN_PARALLEL)
            .ready_chunks(ANSWERS_TOGETHER)
            .map(|asked| self.keep::<C>(asked))
            .buffer_unordered(KEEPS_IN_PARALLEL)
            .flat_map(stream::iter)
            .collect()
            .await
    }

    /// Asks for a hundred ids at most; tells what was found, and what was not.
    async fn ask<C: Catalogue>(&self, wanted: &[Wanted]) -> Result<(Vec<C::Item>, Vec<Missing>), Failure> {
        // An id that is not made of digits would make Twitch refuse the whole call. The page's validation keeps such ids
        // out; one that is here all the same is recorded, not sent.
        let ids: Vec<C::Id> = wanted.iter().filter_map(|(id, _)| C::Id::try_from(id.clone()).ok()).collect();
        let answer = ask::ask::<C>(&self.helix, &ids).await?;
        if answer.refused.len() >= SUSPICIOUS && answer.refused.len() == ids.len() {
            return Err(Failure::permanent(
                "helix.bad_request",
                "Twitch refuses every id of a batch, one by one",
            ));
        }
        let missing = ask::missing(wanted, &ids, &answer);
        for Missing { id, reason, seen } in &missing {
            tracing::warn!(
                kind = C::KIND.as_str(),
                id,
                reason = reason.as_str(),
                pull = seen.pull_id.0,
                chunk = seen.chunk,
                "{}: kept for review",
                ask::explain_missing::<C>(id, *reason, &answer)
            );
        }
        Ok((answer.found, missing))
    }

    /// Keeps answers, together where that goes, and one by one where it does not; tells what became of each id.
    async fn keep<C: Catalogue>(&self, asked: Vec<Asked<C::Item>>) -> Vec<(String, Result<(), Failure>)> {
        let (mut told, mut answers) = (Vec::new(), Vec::new());
        for (wanted, result) in asked {
            match result {
                Ok((found, missing)) => answers.push((wanted, found, missing)),
                Err(failure) => told.push((wanted, Err(failure))),
            }
        }
        let kept = self.keep_together::<C>(&answers).await;
        if kept.is_err() && answers.len() > 1 {
            for answer in answers {
                let kept = self.keep_together::<C>(std::slice::from_ref(&answer)).await;
                told.push((answer.0, kept));
            }
        } else {
            told.extend(answers.into_iter().map(|(wanted, ..)| (wanted, kept.clone())));
        }
        self.release::<C>(&told).await;
        told.into_iter()
            .flat_map(|(wanted, result)| wanted.into_iter().map(move |(id, _)| (id, result.clone())))
            .collect()
    }

    async fn keep_together<C: Catalogue>(&self, answers: &[Answer<C::Item>]) -> Result<(), Failure> {
        let Some((_, seen)) = answers.iter().find_map(|(wanted, ..)| wanted.first()) else { return Ok(()) };
        let found = answers.iter().flat_map(|(_, found, _)| found).collect();
        let missing: Vec<Missing> = answers.iter().flat_map(|(.., missing)| missing).cloned().collect();
        Ok(C::keep(&self.store, found, &missing, *seen, self.now()).await?)
    }

    /// Gives up the claims on ids that were not answered.
    async fn release<C: Catalogue>(&self, told: &[(Vec<Wanted>, Result<(), Failure>)]) {
        let failed = told.iter().filter(|(_, result)| C::SHARED && result.is_err());
        let ids: Vec<&str> = failed.flat_map(|(wanted, _)| wanted).map(|(id, _)| id.as_str()).collect();
        if !ids.is_empty()
            && let Err(error) = self.store.release(C::KIND, &ids, &self.name).await
        {
            tracing::warn!(%error, "claims are not given up; they run out by themselves");
        }
    }

    /// Notes the chunks that have all they need, and announces them.
    async fn finish<C: Catalogue>(
        &self,
        chunks: &[ChunkRef],
        outcomes: Vec<Option<Outcome>>,
        announce: impl Fn(ChunkRef) -> Announcement,
    ) -> Vec<Outcome> {
        let filled: Vec<ChunkRef> = outcomes
            .iter()
            .zip(chunks)
            .filter(|(outcome, _)| outcome.is_none())
            .map(|(_, chunk)| *chunk)
            .collect();
        let noted = if filled.is_empty() { Ok(()) } else { self.note::<C>(&filled).await };
        let done = |chunk: &ChunkRef| match &noted {
            Ok(()) => Ok(Step::Done(vec![announce(*chunk)])),
            Err(failure) => Err(failure.clone()),
        };
        outcomes
            .into_iter()
            .zip(chunks)
            .map(|(outcome, chunk)| outcome.unwrap_or_else(|| done(chunk)))
            .collect()
    }

    /// Notes them, and the calls that were made since the last were noted.
    async fn note<C: Catalogue>(&self, filled: &[ChunkRef]) -> Result<(), Failure> {
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

/// Takes the answered ids from what a chunk lacks; the failure, if asking for one of them failed.
fn cross_off(need: &mut Need, answered: &Answered) -> Option<Failure> {
    let failure = need.ids.iter().find_map(|id| answered.get(id)?.as_ref().err().cloned());
    need.ids.retain(|id| !answered.contains_key(id));
    failure
}
