//! A worker that does as a test tells it, and remembers what it was given.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::DateTime;
use shared::{
    dead_letter::DeadLetterStore,
    failure::Failure,
    runtime::{Job, Outcome, Step, Worker},
    schema::{ChunkRef, ChunkStored, GamesFilled, PullId},
    steering::Steering,
    store::{Store, WorkerRow},
    topology::{GAME_ENRICHER, Stage},
    worker_state::StatusReporter,
};

use crate::{builders::now, eventually::eventually, rig::Rig};

/// What the worker makes of a message, by its chunk.
type Script = Box<dyn Fn(i32) -> Outcome + Send + Sync>;

/// The worker, in the place of the game-enricher. Clones are the same worker.
#[derive(Clone)]
pub(crate) struct Scripted(Arc<Inner>);

struct Inner {
    store: Store,
    steering: Arc<dyn Steering>,
    ready: Mutex<Result<(), Failure>>,
    script: Mutex<Script>,
    hangs: Mutex<BTreeSet<i32>>,
    batches: Mutex<Vec<Vec<i32>>>,
}

impl Scripted {
    /// One that handles everything.
    pub(crate) fn new(rig: &Rig) -> Self {
        Self::steered_by(rig, Arc::new(rig.store.clone()))
    }

    /// The same, which hears of orders from this one.
    pub(crate) fn steered_by(rig: &Rig, steering: Arc<dyn Steering>) -> Self {
        Self(Arc::new(Inner {
            store: rig.store.clone(),
            steering,
            ready: Mutex::new(Ok(())),
            script: Mutex::new(Box::new(|_| done())),
            hangs: Mutex::default(),
            batches: Mutex::default(),
        }))
    }

    /// From now on it is ready, or not.
    pub(crate) fn is_ready(&self, ready: Result<(), Failure>) {
        *lock(&self.0.ready) = ready;
    }

    /// From now on it makes this of a message.
    pub(crate) fn does(&self, script: impl Fn(i32) -> Outcome + Send + Sync + 'static) {
        *lock(&self.0.script) = Box::new(script);
    }

    /// From now on it comes to no end with the messages of these chunks.
    pub(crate) fn hangs_on(&self, chunks: impl IntoIterator<Item = i32>) {
        *lock(&self.0.hangs) = chunks.into_iter().collect();
    }

    /// The chunks of each call so far, in their order.
    pub(crate) fn batches(&self) -> Vec<Vec<i32>> {
        lock(&self.0.batches).clone()
    }

    /// How often each chunk was given to it.
    pub(crate) fn given(&self) -> BTreeMap<i32, usize> {
        let mut given = BTreeMap::new();
        for chunk in self.batches().concat() {
            *given.entry(chunk).or_default() += 1;
        }
        given
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A message that is done with, with nothing to announce.
#[expect(clippy::unnecessary_wraps, reason = "it is what a worker returns")]
pub(crate) fn done() -> Outcome {
    Ok(Step::Done(Vec::new()))
}

impl Worker for Scripted {
    type In = ChunkStored;
    type Out = GamesFilled;

    const HANDLE_TIMEOUT: Duration = Duration::from_secs(1);
    const STAGE: Stage<ChunkStored, GamesFilled> = GAME_ENRICHER;

    async fn handle(&self, jobs: &[Job<ChunkStored>]) -> Vec<Outcome> {
        let chunks: Vec<i32> = jobs.iter().map(|job| job.message.0.chunk).collect();
        lock(&self.0.batches).push(chunks.clone());
        let hangs = chunks.iter().any(|chunk| lock(&self.0.hangs).contains(chunk));
        if hangs {
            std::future::pending::<()>().await;
        }
        let script = lock(&self.0.script);
        chunks.into_iter().map(&**script).collect()
    }

    fn dead_letters(&self) -> &dyn DeadLetterStore {
        &self.0.store
    }

    async fn ready(&self) -> Result<(), Failure> {
        lock(&self.0.ready).clone()
    }

    fn status_reporter(&self) -> Option<&dyn StatusReporter> {
        Some(&self.0.store)
    }

    fn steering(&self) -> Option<&dyn Steering> {
        Some(&*self.0.steering)
    }
}

/// Work about the chunks 1 to `number` of a pull that is nowhere.
pub(crate) async fn announce_work(rig: &Rig, number: i32) {
    let chunk = |chunk| ChunkRef { pull_id: PullId(1), pulled_at: DateTime::UNIX_EPOCH, chunk };
    let work = (1..=number).map(|number| GAME_ENRICHER.request(&ChunkStored(chunk(number))));
    rig.announcer.announce(work.collect()).await.expect("announced");
}

/// What a stage says of itself, once it says that it is paused for this code.
pub(crate) async fn paused(rig: &Rig, stage: &str, code: &str) -> WorkerRow {
    eventually(&format!("the {stage} should be paused for {code}"), || async {
        let states = rig.store.worker_states(now()).await.expect("states");
        let found = states.iter().find(|row| row.stage == stage && row.code.as_deref() == Some(code));
        found.cloned().ok_or(states)
    })
    .await
}

/// Waits until a stage says that it works.
pub(crate) async fn consuming(rig: &Rig, stage: &str) {
    eventually(&format!("the {stage} should work"), || async {
        let states = rig.store.worker_states(now()).await.expect("states");
        if states.iter().any(|row| row.stage == stage && row.state == "consuming") {
            Ok(())
        } else {
            Err(states)
        }
    })
    .await;
}
