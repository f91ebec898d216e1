//! Dead letters, as a consumer makes them: first a row, then a message, then the acknowledgement.
//!
//! Whoever dies between the row and the acknowledgement leaves a delivery that comes again. If it fails again, it is the
//! same dead letter; a second message of it is removed when queue and table are compared. If it is handled after all,
//! [`Settled::recovered`] resolves the row.

use std::time::Duration;

use lapin::message::Delivery;
use tokio::time::{Instant, sleep};

use super::{
    super::{
        Worker,
        broker::outgoing::Outgoing,
        message::{dead_letter, fingerprint, headers},
        process::spans::Scope,
        retry::Delays,
    },
    Consumer, broken,
    intake::InHand,
    settle::{Fate, Settlement, acknowledge},
};
use crate::{
    dead_letter::{DeadLetter, Settled},
    failure::{Class, Failure},
    topology::DEAD_LETTERS,
};

/// The shortest and the longest time between two tries to write what the database did not take.
const WRITE_SOONEST: Duration = Duration::from_millis(500);
const WRITE_LATEST: Duration = Duration::from_secs(10);

/// What is written to the dead-letter store.
enum Entry<'a> {
    Failed(&'a DeadLetter),
    Settled(&'a Settled),
}

impl<W: Worker> Consumer<'_, W> {
    /// Gives a message up, unless so many went before it for the same reason that it is hardly the messages' fault.
    pub(super) async fn dead_letter(
        &mut self,
        held: &InHand<W::In>,
        failure: &Failure,
        failed_attempts: u32,
        settlement: &mut Settlement,
    ) -> Fate {
        if settlement.trouble.as_ref().is_some_and(|trouble| trouble.code == "worker.kill_switch") {
            return Fate::Keep;
        }
        if let Some(pause) = self.breaker.failed(failure.code) {
            let why = format!(
                "{} messages in a row failed for the same reason, so it is hardly theirs: {failure}",
                self.breaker.limit()
            );
            let trouble = Failure::new(Class::Outage, "worker.kill_switch", why).after(pause);
            settlement.trouble = Some(trouble);
            return Fate::Keep;
        }
        let (message, row) = self.dead_lettered(&held.delivery, &held.scope, failure, failed_attempts);
        match self.worker.give_up(&held.job.message, failure, &row).await {
            Ok(announcements) => {
                settlement.outgoing.extend(self.addressed(announcements, &held.scope.trace));
                settlement.outgoing.push(message);
                settlement.settled.queued.push(row.letter);
                self.forget_retry(held);
                Fate::Acknowledge
            }
            // It cannot even be recorded: nothing is given up before it is.
            Err(trouble) => {
                tracing::warn!(code = trouble.code, "{} cannot be given up yet: {trouble}", held.id());
                settlement.trouble.get_or_insert(trouble);
                Fate::Keep
            }
        }
    }

    /// Dead-letters what cannot be read.
    pub(super) async fn reject(
        &mut self,
        delivery: &Delivery,
        scope: &Scope,
        failure: &Failure,
    ) -> Result<(), Failure> {
        let (message, row) = scope.span.in_scope(|| self.dead_lettered(delivery, scope, failure, 1));
        let settle_by = self.settle_by(&[]);
        self.write(Entry::Failed(&row), settle_by).await?;
        self.publish(vec![message], settle_by).await?;
        let settled = Settled { queued: vec![row.letter], ..Settled::default() };
        self.note_settled(&settled, settle_by).await?;
        acknowledge(delivery).await
    }

    /// A message on its way to the dead letters, and the row that says so.
    fn dead_lettered(
        &self,
        delivery: &Delivery,
        scope: &Scope,
        failure: &Failure,
        failed_attempts: u32,
    ) -> (Outgoing, DeadLetter) {
        tracing::error!(code = failure.code, "dead letter: {failure}");
        let (exchange, key) = (DEAD_LETTERS.to_owned(), self.stage.name.to_owned());
        let mut message = self.failed(delivery, failure, failed_attempts, exchange, key);
        let mut name = dead_letter::name(self.stage.name, &message.properties, &message.body);
        if delivery.properties.message_id().is_none() {
            // Nothing tells it from another of the same words: each is a dead letter of its own.
            name = format!("{name}-{}", fingerprint::nonce());
        }
        // A replay is linked to the span in which the message failed.
        message.properties = scope.trace.put(&headers::dead_letter(&message.properties, &name));
        let now = self.settings.clock.now();
        let row = dead_letter::read(&message.properties, &message.body, self.stage.name, now);
        (message, row)
    }

    /// Adds what a handled delivery means for dead letters.
    pub(super) fn note_handled(&self, delivery: &Delivery, settled: &mut Settled) {
        settled.replays.extend(dead_letter::replayed(&delivery.properties));
        if delivery.redelivered {
            let name = dead_letter::name(self.stage.name, &delivery.properties, &delivery.data);
            settled.recovered.push(name);
        }
    }

    /// Notes what became of deliveries, now that all they led to is published.
    pub(super) async fn note_settled(
        &mut self,
        settled: &Settled,
        settle_by: Instant,
    ) -> Result<(), Failure> {
        if settled.is_empty() { Ok(()) } else { self.write(Entry::Settled(settled), settle_by).await }
    }

    /// Writes to the dead-letter store, and returns when it is written. While the database takes nothing the stage is
    /// paused, and keeps what is in its hand. Fails when it is time to stop, or when deliveries cannot be kept any longer:
    /// then they are delivered again. What the store can never hold is told in the log; the message is in its queue.
    async fn write(&mut self, entry: Entry<'_>, settle_by: Instant) -> Result<(), Failure> {
        let mut waits = Delays::between(WRITE_SOONEST, WRITE_LATEST);
        let mut paused = false;
        loop {
            let store = self.worker.dead_letters();
            let written = match entry {
                Entry::Failed(row) => store.record(row).await,
                Entry::Settled(settled) => store.settle(settled, self.settings.clock.now()).await,
            };
            let failure = match written {
                Ok(()) => break,
                Err(failure) => failure,
            };
            if failure.class == Class::Permanent {
                tracing::error!(
                    code = failure.code,
                    "the dead-letter store cannot hold a dead letter: {failure}"
                );
                break;
            }
            paused = true;
            self.status.pause(&failure);
            if Instant::now() > settle_by {
                return Err(broken(format!("deliveries cannot be kept any longer: {failure}")));
            }
            tokio::select! {
                () = self.stop.cancelled() => return Err(broken(format!("told to stop, and {failure}"))),
                () = sleep(waits.next()) => {}
            }
        }
        if paused {
            self.status.consuming();
        }
        Ok(())
    }
}
