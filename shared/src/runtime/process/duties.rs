//! Background duties: what a program does beside its messages, named and supervised.
//!
//! A program lists its duties with [`every`], [`scheduled`], [`standing`] and [`lasting`]; see [`Worker::duties`](super::Worker::duties).
//! Each runs in a task of its own. A run that fails, panics or takes too long is one failure: it is counted, and the duty
//! goes on with its next run, after a delay that grows from a second to its period. The log tells when a duty begins to
//! fail, when it fails for another cause, and when it works again. A duty that keeps failing shows in `/readyz`.

use std::{cell::Cell, fmt::Display, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::retry::{Delays, jittered},
    troubles::{Record, Troubles},
};
use crate::{clock::Clock, failure::Failure, metrics};

/// How long one run may take, where a duty does not say otherwise.
const RUN_TIMEOUT: Duration = Duration::from_mins(1);
/// The shortest wait after a failure; shorter where the period is.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait after failures of a duty that waits for something to do.
const LONGEST_STANDSTILL: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// Where the panic of a run is kept for the one line that tells of it.
    static PANIC: Cell<Option<String>>;
}

/// Something a program does beside its messages.
pub struct Duty {
    name: &'static str,
    longest_run: Duration,
    longest_wait: Duration,
    run: Run,
}

/// One run: how long to wait before the next, if it succeeded.
type Run = Box<dyn FnMut(Turn) -> BoxFuture<'static, Result<Duration, Failure>> + Send>;

/// What a run is given.
pub(in crate::runtime) struct Turn {
    pub(in crate::runtime) stop: CancellationToken,
    record: Record,
}

impl Turn {
    /// Says in the middle of a run that the duty works.
    pub(in crate::runtime) fn works(&self) {
        self.record.succeeded();
    }
}

/// A duty that is done at the start and then again and again, about a `period` apart, so that replicas do not march in step.
pub fn every<F, R>(period: Duration, name: &'static str, mut run: F) -> Duty
where
    F: FnMut() -> R + Send + 'static,
    R: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let run = move |_| run().map(move |done| done.map(|()| jittered(period))).boxed();
    Duty { name, longest_run: RUN_TIMEOUT, longest_wait: period, run: Box::new(run) }
}

/// A duty whose runs say how long to wait before the next.
pub fn scheduled<F, R>(name: &'static str, mut run: F) -> Duty
where
    F: FnMut() -> R + Send + 'static,
    R: Future<Output = Result<Duration, Failure>> + Send + 'static,
{
    let run = move |_| run().boxed();
    Duty { name, longest_run: RUN_TIMEOUT, longest_wait: SHORTEST_WAIT, run: Box::new(run) }
}

/// A duty that waits for something to do, and is told when to stop: each run lasts until then, or until it has nothing to do for a
/// while.
pub fn standing<F, R>(name: &'static str, mut run: F) -> Duty
where
    F: FnMut(CancellationToken) -> R + Send + 'static,
    R: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let run = move |turn: Turn| run(turn.stop).map(|done| done.map(|()| Duration::ZERO)).boxed();
    Duty { name, longest_run: Duration::MAX, longest_wait: LONGEST_STANDSTILL, run: Box::new(run) }
}

/// A duty of the runtime's own that goes on until it is told to stop, and says itself that it works.
pub(in crate::runtime) fn lasting<F, R>(name: &'static str, mut run: F) -> Duty
where
    F: FnMut(Turn) -> R + Send + 'static,
    R: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let run = move |turn| run(turn).map(|done| done.map(|()| Duration::ZERO)).boxed();
    Duty { name, longest_run: Duration::MAX, longest_wait: LONGEST_STANDSTILL, run: Box::new(run) }
}

/// What a duty runs, where all duties of a program share what they work with: `every(period, name, sharing(&state, look))`.
pub fn sharing<S, R>(state: &Arc<S>, run: fn(Arc<S>) -> R) -> impl FnMut() -> R + use<S, R> {
    let state = Arc::clone(state);
    move || run(Arc::clone(&state))
}

impl Duty {
    /// The duty with so much time for each run.
    #[must_use]
    pub fn within(self, longest_run: Duration) -> Self {
        Self { longest_run, ..self }
    }

    /// Its name, in logs, metrics and probes.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs again and again until told to stop.
    async fn perform(mut self, record: Record, stop: CancellationToken) {
        metrics::duty_listed(self.name);
        let shortest = SHORTEST_WAIT.min(self.longest_wait);
        let mut waits = Delays::between(shortest, self.longest_wait);
        while !stop.is_cancelled() {
            let turn = Turn { stop: stop.clone(), record: record.clone() };
            let wait = match self.attempt(turn).await {
                Ok(wait) => {
                    if !stop.is_cancelled() {
                        record.succeeded();
                    }
                    wait
                }
                Err(failure) => {
                    if record.failed(&failure) == 1 {
                        waits.reset();
                    }
                    waits.next().min(self.longest_wait)
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// One run; a panic is a failure, and so is one that takes too long.
    async fn attempt(&mut self, turn: Turn) -> Result<Duration, Failure> {
        let run = async { (self.run)(turn).await };
        let run = PANIC.scope(Cell::new(None), async {
            AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|panic| {
                let told = PANIC.with(Cell::take);
                let words = || panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
                let told = told.or_else(words).or_else(|| panic.downcast_ref::<String>().cloned());
                Err(Failure::permanent("duty.panic", told.unwrap_or_else(|| "it panicked".to_owned())))
            })
        });
        timeout(self.longest_run, run).await.unwrap_or_else(|_| {
            let why = format!("it was not done after {} s", self.longest_run.as_secs());
            Err(Failure::transient("duty.timeout", why))
        })
    }
}

/// Keeps what a panic says for the line that tells of the failed run. False outside of duties, where nobody asks for it.
pub(in crate::runtime) fn keep_panic(told: &impl Display) -> bool {
    PANIC.try_with(|kept| kept.set(Some(told.to_string()))).is_ok()
}

/// Does all duties until told to stop. Dropping it ends them in the middle of whatever they do.
pub async fn perform(duties: Vec<Duty>, troubles: Troubles, clock: Clock, stop: CancellationToken) {
    let mut running = JoinSet::new();
    for duty in duties {
        let record = Record { duty: duty.name, troubles: troubles.clone(), clock: clock.clone() };
        running.spawn(duty.perform(record, stop.clone()));
    }
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a background duty ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    };

    use tokio::sync::Notify;

    use super::*;

    const SOON: Duration = Duration::from_millis(5);

    /// Runs these duties until `enough`.
    async fn run_until(duties: Vec<Duty>, enough: &Notify) -> Troubles {
        let stop = CancellationToken::new();
        let troubles = Troubles::default();
        let running = tokio::spawn(perform(duties, troubles.clone(), Clock::System, stop.clone()));
        enough.notified().await;
        stop.cancel();
        running.await.unwrap();
        troubles
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_of_one_run_and_other_duties_go_on() {
        let enough = Arc::new(Notify::new());
        let (runs, others) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let told = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let troubles = Troubles::default();
        let broken = every(SOON, "broken", {
            let (runs, others, told) = (Arc::clone(&runs), Arc::clone(&others), Arc::clone(&told));
            let (troubles, enough) = (troubles.clone(), Arc::clone(&enough));
            move || {
                let run = runs.fetch_add(1, Ordering::SeqCst);
                told.lock().unwrap().push(troubles.describe());
                if run == 8 && others.load(Ordering::SeqCst) > 3 {
                    enough.notify_one();
                }
                async move {
                    assert!(run >= 7, "a column is of another type");
                    Ok(())
                }
            }
        });
        let fine = every(SOON, "fine", {
            let others = Arc::clone(&others);
            move || {
                others.fetch_add(1, Ordering::SeqCst);
                async { Ok(()) }
            }
        });
        let running =
            tokio::spawn(perform(vec![broken, fine], troubles.clone(), Clock::System, stop.clone()));
        enough.notified().await;
        stop.cancel();
        running.await.unwrap();
        let told = told.lock().unwrap();
        assert_eq!(told[..5], [None, None, None, None, None], "a few failures are no news for a probe");
        let words = "duty broken has failed 5 times in a row: a column is of another type";
        assert_eq!(told[5].as_deref(), Some(words));
        assert_eq!(told[8], None, "it works again");
    }

    #[tokio::test]
    async fn a_run_that_hangs_is_ended() {
        let enough = Arc::new(Notify::new());
        let hangs = every(SOON, "hangs", {
            let (runs, enough) = (AtomicU32::new(0), Arc::clone(&enough));
            move || {
                if runs.fetch_add(1, Ordering::SeqCst) == 5 {
                    enough.notify_one();
                }
                let hang = runs.load(Ordering::SeqCst) <= 5;
                async move { if hang { std::future::pending().await } else { Ok(()) } }
            }
        });
        // The sixth run is under way, or over.
        let troubles = run_until(vec![hangs.within(SOON)], &enough).await;
        assert!(troubles.describe().is_none_or(|told| told.contains("it was not done after 0 s")));
    }
}
