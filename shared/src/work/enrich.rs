//! Filling chunks with what only Twitch knows: collect ids across the chunks in hand, ask a hundred at a time.
//!
//! A chunk whose ids are all known passes at once. One that lacks some waits a moment for company, so that a call
//! carries a hundred ids instead of three. Ids are claimed before they are asked for, so replicas do not ask twice; an
//! answer is kept before anything is announced. A second delivery finds everything known and only announces again.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use chrono::{DateTime, Utc};
use clap::Args;
use futures::{StreamExt, future::BoxFuture, stream};

use crate::{
    clock::Clock,
    failure::Failure,
    helix::{self, Batch, Client},
    runtime::{Job, Outcome, Step},
    schema::{Absence, ChunkRef, Missing},
    store::{self, Kind, Need, Store},
    topology::Announcement,
};

/// Most ids in one call, the same for `/games` and `/users`.
const FULL_CALL: usize = 100;
/// Most calls made before what is done is announced.
const CALLS_AT_ONCE: usize = 8;
/// Calls under way at the same time: the latency of one is spent on the others.
const CALLS_IN_PARALLEL: usize = 4;
/// How long to wait for an answer that another replica asked for.
const OTHERS_ANSWER: Duration = Duration::from_millis(250);
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

    /// Keeps an answer.
    fn keep(
        store: &Store,
        found: &[Self::Item],
        missing: &[Missing],
        seen: ChunkRef,
        calls: i32,
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
    /// Calls that were already put on a pull's account.
    booked: AtomicU64,
}

/// An id that is needed, and the first chunk that needs it.
type Wanted = (String, ChunkRef);

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
        Self { helix, store, clock, settings, max_age, name, booked: AtomicU64::new(0) }
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
        let needs = match self.needs::<C>(&chunks).await {
            Ok(needs) => needs,
            Err(failure) => return jobs.iter().map(|_| Err(failure.clone())).collect(),
        };
        let overdue = jobs.iter().any(|job| job.held >= self.settings.collect_for);
        let mut answered: HashMap<String, Result<(), Failure>> = HashMap::new();
        let (wanted, more) = wanted_ids(&chunks, &needs, overdue);
        let mut elsewhere = false;
        if !wanted.is_empty() {
            match self.claim::<C>(wanted).await {
                Ok((claimed, others)) => {
                    elsewhere = others;
                    answered = self.ask_all::<C>(claimed).await;
                }
                Err(failure) => return jobs.iter().map(|_| Err(failure.clone())).collect(),
            }
        }
        let wait = match (more, elsewhere) {
            (true, _) => Duration::ZERO,
            (false, true) => OTHERS_ANSWER,
            (false, false) => self.settings.collect_for,
        };
        let outcomes: Vec<Option<Outcome>> = needs
            .iter()
            .zip(&chunks)
            .zip(jobs)
            .map(|((need, chunk), job)| outcome(need.as_ref(), *chunk, job.held, &answered, wait))
            .collect();
        self.finish::<C>(&chunks, outcomes, announce).await
    }

    async fn needs<C: Catalogue>(&self, chunks: &[ChunkRef]) -> Result<Vec<Option<Need>>, Failure> {
        let (age, retry) = (self.max_age, self.settings.missing_retry_after);
        Ok(self.store.needs(C::KIND, chunks, age, retry, self.now()).await?)
    }

    /// Claims the ids; returns those that are ours to ask, and whether some are somebody else's.
    async fn claim<C: Catalogue>(&self, wanted: Vec<Wanted>) -> Result<(Vec<Wanted>, bool), Failure> {
        let ids: Vec<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
        let ours = self.store.claim(C::KIND, &ids, &self.name, self.now()).await?;
        let ours: HashSet<String> = ours.into_iter().collect();
        let elsewhere = ours.len() < wanted.len();
        Ok((wanted.into_iter().filter(|(id, _)| ours.contains(id)).collect(), elsewhere))
    }

    /// Asks for all claimed ids, a hundred at a time; tells for each whether it was answered.
    async fn ask_all<C: Catalogue>(&self, claimed: Vec<Wanted>) -> HashMap<String, Result<(), Failure>> {
        let calls: Vec<Vec<Wanted>> = claimed.chunks(FULL_CALL).map(<[Wanted]>::to_vec).collect();
        stream::iter(calls)
            .map(|ids| async move {
                let result = self.ask_and_keep::<C>(&ids).await;
                if result.is_err() {
                    let ids: Vec<&str> = ids.iter().map(|(id, _)| id.as_str()).collect();
                    if let Err(error) = self.store.release(C::KIND, &ids, &self.name).await {
                        tracing::warn!(%error, "claims are not given up; they run out by themselves");
                    }
                }
                ids.into_iter().map(|(id, _)| (id, result.clone())).collect::<Vec<_>>()
            })
            .buffer_unordered(CALLS_IN_PARALLEL)
            .flat_map(stream::iter)
            .collect()
            .await
    }

    async fn ask_and_keep<C: Catalogue>(&self, wanted: &[Wanted]) -> Result<(), Failure> {
        let Some((_, seen)) = wanted.first() else { return Ok(()) };
        // An id that is not made of digits would make Twitch refuse the whole call. The page's validation keeps such ids
        // out; one that is here all the same is recorded, not sent.
        let ids: Vec<C::Id> = wanted.iter().filter_map(|(id, _)| C::Id::try_from(id.clone()).ok()).collect();
        let answer = ask::<C>(&self.helix, &ids).await?;
        if answer.refused.len() >= SUSPICIOUS && answer.refused.len() == ids.len() {
            return Err(Failure::permanent(
                "helix.bad_request",
                "Twitch refuses every id of a batch, one by one",
            ));
        }
        let missing = missing(wanted, &ids, &answer);
        for Missing { id, reason, seen } in &missing {
            tracing::warn!(
                kind = C::KIND.as_str(),
                id,
                reason = reason.as_str(),
                pull = seen.pull_id.0,
                chunk = seen.chunk,
                "{}: kept for review",
                explain_missing::<C>(id, *reason, &answer)
            );
        }
        C::keep(&self.store, &answer.found, &missing, *seen, self.unbooked_calls(), self.now()).await?;
        Ok(())
    }

    /// Calls made since this was last asked.
    fn unbooked_calls(&self) -> i32 {
        let made = self.helix.calls();
        i32::try_from(made.saturating_sub(self.booked.swap(made, Ordering::Relaxed))).unwrap_or(i32::MAX)
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

    async fn note<C: Catalogue>(&self, filled: &[ChunkRef]) -> Result<(), Failure> {
        self.store.filled(C::KIND, filled, self.now()).await?;
        if C::KIND == Kind::Game {
            let pulls: HashSet<_> = filled.iter().map(|chunk| chunk.pull_id).collect();
            for pull in pulls {
                self.store.games_filled(pull).await?;
            }
        }
        Ok(())
    }
}

/// The ids to ask for now, those of the oldest chunks first, and whether there are more than can be asked at once.
/// Before anybody is overdue only full calls are made.
fn wanted_ids(chunks: &[ChunkRef], needs: &[Option<Need>], overdue: bool) -> (Vec<Wanted>, bool) {
    let mut seen = HashSet::new();
    let mut wanted: Vec<Wanted> = Vec::new();
    for (need, chunk) in needs.iter().zip(chunks) {
        for id in need.iter().flat_map(|need| &need.ids) {
            if seen.insert(id.as_str()) {
                wanted.push((id.clone(), *chunk));
            }
        }
    }
    let all = wanted.len();
    let most = FULL_CALL * CALLS_AT_ONCE;
    wanted.truncate(if overdue { all.min(most) } else { (all / FULL_CALL * FULL_CALL).min(most) });
    (wanted, all > most)
}

/// What becomes of a chunk: none if it has all it needs.
fn outcome(
    need: Option<&Need>,
    chunk: ChunkRef,
    held: Duration,
    answered: &HashMap<String, Result<(), Failure>>,
    wait: Duration,
) -> Option<Outcome> {
    let Some(need) = need else {
        return Some(Err(store::Error::NoChunk(chunk).into()));
    };
    let mut open = false;
    for id in &need.ids {
        match answered.get(id) {
            Some(Ok(())) => {}
            Some(Err(failure)) => return Some(Err(failure.clone())),
            None => open = true,
        }
    }
    // Waiting for company ends when this chunk has waited its time, whoever came before it.
    open.then(|| {
        let left = wait.saturating_sub(held);
        Ok(Step::Hold(if left.is_zero() { wait.min(OTHERS_ANSWER) } else { left }))
    })
}

/// What came of asking for some ids.
struct Answer<C: Catalogue> {
    found: Vec<C::Item>,
    malformed: Vec<(C::Id, String)>,
    refused: Vec<C::Id>,
}

/// The ids that nothing was found for, each with the chunk that wanted it.
fn missing<C: Catalogue>(wanted: &[Wanted], asked: &[C::Id], answer: &Answer<C>) -> Vec<Missing> {
    let found: HashSet<&str> = answer.found.iter().map(C::id).collect();
    let malformed: HashSet<&str> = answer.malformed.iter().map(|(id, _)| id.as_ref()).collect();
    let [asked, refused] =
        [asked, &answer.refused].map(|ids| ids.iter().map(AsRef::as_ref).collect::<HashSet<&str>>());
    let reason = |id: &str| {
        if malformed.contains(id) {
            Absence::Malformed
        } else if refused.contains(id) || !asked.contains(id) {
            Absence::Refused
        } else {
            Absence::Absent
        }
    };
    wanted
        .iter()
        .filter(|(id, _)| !found.contains(id.as_str()))
        .map(|(id, seen)| Missing { id: id.clone(), reason: reason(id), seen: *seen })
        .collect()
}

/// Why nothing was found for an id, in words.
fn explain_missing<C: Catalogue>(id: &str, reason: Absence, answer: &Answer<C>) -> String {
    let kind = C::KIND.as_str();
    match reason {
        Absence::Absent => format!("Twitch has no {kind} {id}"),
        Absence::Refused => format!("Twitch rejects the id of {kind} {id}"),
        Absence::Malformed => {
            let told = answer.malformed.iter().find(|(malformed, _)| malformed.as_ref() == id);
            let why = told.map_or("", |(_, why)| why);
            format!("what Twitch says of {kind} {id} cannot be read: {why}")
        }
    }
}

/// Asks; where Twitch refuses the whole batch, asks for each half, until the guilty id stands alone.
fn ask<'a, C: Catalogue>(
    helix: &'a Client,
    ids: &'a [C::Id],
) -> BoxFuture<'a, Result<Answer<C>, helix::Error>> {
    Box::pin(async move {
        match C::ask(helix, ids).await {
            Ok(Batch { found, malformed }) => Ok(Answer { found, malformed, refused: Vec::new() }),
            Err(error) if error.is_bad_request() && ids.len() == 1 => {
                Ok(Answer { found: Vec::new(), malformed: Vec::new(), refused: ids.to_vec() })
            }
            Err(error) if error.is_bad_request() => {
                let (left, right) = ids.split_at(ids.len() / 2);
                let (mut answer, other) = (ask::<C>(helix, left).await?, ask::<C>(helix, right).await?);
                answer.found.extend(other.found);
                answer.malformed.extend(other.malformed);
                answer.refused.extend(other.refused);
                Ok(answer)
            }
            Err(error) => Err(error),
        }
    })
}
