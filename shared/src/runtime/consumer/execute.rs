//! Calling the worker: within its time, and with a panic caught. What broke off together is tried again in parts.

use std::{any::Any, panic::AssertUnwindSafe};

use futures::FutureExt;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use super::{
    super::{Job, Outcome, Step, Worker, message::dead_letter::Subject, process::spans},
    Consumer,
    batch::{PANICKED, TIMED_OUT, divide},
    intake::InHand,
};
use crate::{
    failure::{Class, Failure},
    metrics,
    steering::Orders,
};

impl<W: Worker> Consumer<'_, W> {
    /// Hands messages in and settles them, batch by batch, each as soon as it is handled. What there is no time for, or
    /// what meets trouble, stays in hand.
    pub(super) async fn handle(&mut self, ready: Vec<InHand<W::In>>) -> Result<(), Failure> {
        if ready.is_empty() {
            return Ok(());
        }
        // Since the last batch a migration may have run that does not serve this build.
        if let Err(failure) = self.ready().await {
            self.hands.extend(ready);
            self.status.pause(&failure);
            return Ok(());
        }
        let ready = self.drop_cancelled(ready).await?;
        let mut batches = self.batches(ready);
        while let Some(batch) = batches.pop_front() {
            if !self.has_time_for(&batch) {
                self.hands.extend(batch);
                continue;
            }
            self.count_hands(batch.len() + batches.iter().map(Vec::len).sum::<usize>());
            let began = Instant::now();
            let outcomes = match self.attempt(&batch).await {
                Ok(outcomes) => outcomes,
                Err(failure) if batch.len() == 1 => vec![Err(failure)],
                Err(failure) => {
                    tracing::warn!(
                        stage = self.stage.name,
                        code = failure.code,
                        "{} messages failed together, and are tried in parts: {failure}",
                        batch.len()
                    );
                    divide(batch).into_iter().rev().for_each(|part| batches.push_front(part));
                    if failure.timed_out
                        && let Err(failure) = self.ready().await
                    {
                        self.status.pause(&failure);
                    }
                    continue;
                }
            };
            for (held, outcome) in batch.iter().zip(&outcomes) {
                let code = outcome.as_ref().err().map(|failure| failure.code);
                metrics::processed(&held.queue, began.elapsed(), code);
            }
            self.settle(batch, outcomes).await?;
        }
        self.count_hands(0);
        Ok(())
    }

    /// Whether these may be handled now. What has been in hand for as long as a message may be goes back to its queue instead,
    /// however the time was spent.
    fn has_time_for(&self, batch: &[InHand<W::In>]) -> bool {
        let overdue = batch.iter().any(|held| held.taken.elapsed() >= self.settings.max_in_hand);
        !(overdue || self.status.is_paused() || self.is_paused_by_person() || self.stop.is_cancelled())
    }

    /// Settles what belongs to cancelled pulls as if it were handled. Returns the rest; nothing, and a pause, where it
    /// cannot be found out what that is.
    async fn drop_cancelled(&mut self, ready: Vec<InHand<W::In>>) -> Result<Vec<InHand<W::In>>, Failure> {
        let of = |held: &InHand<W::In>| Subject::of(&held.delivery.data).pull_id;
        let suspects: Vec<i64> = match (self.worker.steering(), &*self.orders.borrow()) {
            (Some(_), Some(Orders { cancelled, .. })) if !cancelled.is_empty() => {
                ready.iter().filter_map(of).filter(|pull| cancelled.contains(pull)).collect()
            }
            _ => Vec::new(),
        };
        let Some(steering) = self.worker.steering().filter(|_| !suspects.is_empty()) else {
            return Ok(ready);
        };
        // What was heard may be old: a pull that was cancelled can be made again.
        let cancelled = match steering.cancelled(&suspects).await {
            Ok(cancelled) => cancelled,
            Err(failure) => {
                self.hands.extend(ready);
                self.status.pause(&failure);
                return Ok(Vec::new());
            }
        };
        let (dropped, kept): (Vec<_>, Vec<_>) =
            ready.into_iter().partition(|held| of(held).is_some_and(|pull| cancelled.contains(&pull)));
        if !dropped.is_empty() {
            let (name, messages) = (self.stage.name, dropped.len());
            tracing::info!(stage = name, messages, "{name} drops {messages} messages of cancelled pulls");
            let outcomes = dropped.iter().map(|_| Ok(Step::Done(Vec::new()))).collect();
            self.settle(dropped, outcomes).await?;
        }
        Ok(kept)
    }

    /// The worker's outcomes; an error where it broke off, and nothing is known of any of the messages.
    async fn attempt(&self, batch: &[InHand<W::In>]) -> Result<Vec<Outcome>, Failure> {
        let jobs: Vec<Job<W::In>> =
            batch.iter().map(|held| Job { held: held.taken.elapsed(), ..held.job.clone() }).collect();
        let span = spans::handled_together(self.stage, batch.iter().map(|held| &held.scope));
        let handled = AssertUnwindSafe(self.worker.handle(&jobs)).catch_unwind();
        match timeout(W::HANDLE_TIMEOUT, handled.instrument(span)).await {
            Ok(Ok(outcomes)) if outcomes.len() == jobs.len() => Ok(outcomes),
            Ok(Ok(outcomes)) => {
                let why = format!("the handler gave {} outcomes for {} jobs", outcomes.len(), jobs.len());
                Err(Failure::permanent("worker.outcomes", why))
            }
            Ok(Err(panic)) => {
                Err(Failure::permanent(PANICKED, format!("the handler panicked: {}", panic_message(&*panic))))
            }
            Err(_) => {
                let why = format!("the handler took longer than {} s", W::HANDLE_TIMEOUT.as_secs());
                Err(Failure::new(Class::Outage, TIMED_OUT, why).timed_out())
            }
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
