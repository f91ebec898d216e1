//! Settling: what came out of a batch is published, confirmed, and then what is done with is acknowledged.
//! What concerns dead letters is in [`super::dead_letters`].

use std::time::Duration;

use chrono::{DateTime, Utc};
use lapin::{message::Delivery, options::BasicAckOptions};
use tokio::time::Instant;
use tracing::Instrument;

use super::{
    super::{
        Outcome, Step, Verdict, Worker,
        broker::outgoing::Outgoing,
        message::{
            dead_letter::{self, Subject},
            headers,
            trace_context::Trace,
        },
        retry::jittered,
        verdict,
    },
    Consumer, broken,
    intake::InHand,
};
use crate::{
    dead_letter::Settled,
    failure::{Class, Failure},
    topology::Announcement,
    worker_state::Retry,
};

/// How long after it was taken a delivery is kept that cannot be settled. RabbitMQ takes it back after half an hour
/// (<https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout>).
const KEEP_UNSETTLED: Duration = Duration::from_mins(20);
/// And at least this long, however long its handling took.
const SETTLE_AT_LEAST: Duration = Duration::from_mins(1);

/// What is to be done with a delivery after it was handled.
pub(super) enum Fate {
    Acknowledge,
    Keep,
}

/// What came out of a batch.
#[derive(Default)]
pub(super) struct Settlement {
    pub(super) outgoing: Vec<Outgoing>,
    retries: Vec<Retry>,
    /// What is to be noted of dead letters once all of it is published.
    pub(super) settled: Settled,
    /// Why the stage cannot go on.
    pub(super) trouble: Option<Failure>,
}

impl<W: Worker> Consumer<'_, W> {
    /// Publishes all that came out of a batch, then acknowledges what is done with. Pauses where a failure is the stage's.
    pub(super) async fn settle(
        &mut self,
        batch: Vec<InHand<W::In>>,
        outcomes: Vec<Outcome>,
    ) -> Result<(), Failure> {
        let now = Instant::now();
        let mut settlement = Settlement::default();
        let settle_by = self.settle_by(&batch);
        let mut settled = Vec::with_capacity(batch.len());
        for (mut held, outcome) in batch.into_iter().zip(outcomes) {
            let fate = match outcome {
                Ok(Step::Done(announcements)) => {
                    self.breaker.handled();
                    self.suspects.handled(held.id(), now);
                    settlement.outgoing.extend(self.addressed(announcements, &held.scope.trace));
                    self.note_handled(&held.delivery, &mut settlement.settled);
                    self.forget_retry(&held);
                    Fate::Acknowledge
                }
                Ok(Step::More(announcements)) => {
                    self.breaker.handled();
                    self.suspects.handled(held.id(), now);
                    settlement.outgoing.extend(self.addressed(announcements, &held.scope.trace));
                    if held.job.steps > 0 {
                        // There was progress: what fails next fails for the first time. The first step of a delivery
                        // is none, since it may only repeat what the delivery before did.
                        self.forget_retry(&held);
                        held.delivery.properties = headers::progressed(&held.delivery.properties);
                    }
                    held.job.steps += 1;
                    (held.not_before, held.due) = (now, now);
                    Fate::Keep
                }
                Ok(Step::Hold(delay)) => {
                    (held.not_before, held.due) = (now, now + delay);
                    Fate::Keep
                }
                Err(mut failure) => {
                    if failure.timed_out && self.suspects.is_to_blame(held.id(), now) {
                        failure.class = Class::Transient;
                    }
                    let span = held.scope.span.clone();
                    self.judge(&mut held, &failure, &mut settlement).instrument(span).await
                }
            };
            settled.push((held, fate));
        }
        self.tell_retries(&settlement.retries).await;
        self.publish(settlement.outgoing, settle_by).await?;
        self.note_settled(&settlement.settled, settle_by).await?;
        for (held, fate) in settled {
            match fate {
                Fate::Acknowledge => acknowledge(&held.delivery).await?,
                Fate::Keep => self.hands.push(held),
            }
        }
        if let Some(trouble) = settlement.trouble {
            self.status.pause(&trouble);
        }
        Ok(())
    }

    /// Until when these and the others in hand are kept, if they cannot be settled: what they waited for before counts.
    pub(super) fn settle_by(&self, batch: &[InHand<W::In>]) -> Instant {
        let now = Instant::now();
        let first = batch.iter().chain(&self.hands).map(|held| held.taken).min().unwrap_or(now);
        (first + KEEP_UNSETTLED).max(now + SETTLE_AT_LEAST)
    }

    pub(super) fn addressed(
        &self,
        announcements: Vec<Announcement>,
        trace: &Trace,
    ) -> impl Iterator<Item = Outgoing> {
        announcements.into_iter().map(|announcement| self.session.publisher.address(announcement, trace))
    }

    /// Carries out the verdict on a failed job.
    async fn judge(
        &mut self,
        held: &mut InHand<W::In>,
        failure: &Failure,
        settlement: &mut Settlement,
    ) -> Fate {
        let failed_attempts = held.failed_attempts() + 1;
        let verdict = verdict(failure, failed_attempts, &self.settings.delays);
        held.scope.span.record("error.type", failure.code).record("otel.status_code", "ERROR");
        let now = Instant::now();
        (held.not_before, held.due) = (now, now);
        if let Verdict::Pause(_) = verdict {
            // Told once, by the pause.
            settlement.trouble.get_or_insert_with(|| failure.clone());
            return Fate::Keep;
        }
        let id = held.id();
        tracing::warn!(
            message_id = id, class = %failure.class, code = failure.code, failed_attempts, ?verdict,
            "{id} failed: {failure}"
        );
        match verdict {
            Verdict::Retry(delay) => {
                let (retry, outgoing) = self.retry(held, failure, failed_attempts, delay);
                settlement.retries.extend(retry);
                settlement.outgoing.push(outgoing);
                Fate::Acknowledge
            }
            Verdict::Hold(delay) => {
                (held.not_before, held.due) = (now + delay, now + delay);
                Fate::Keep
            }
            Verdict::DeadLetter | Verdict::Pause(_) => {
                self.dead_letter(held, failure, failed_attempts, settlement).await
            }
        }
    }

    /// A message on its way to a rung, and what there is to tell of it, if it can be told from others.
    fn retry(
        &self,
        held: &InHand<W::In>,
        failure: &Failure,
        failed_attempts: u32,
        delay: Duration,
    ) -> (Option<Retry>, Outgoing) {
        let rung = self.stage.retry(delay);
        let mut again = self.failed(&held.delivery, failure, failed_attempts, String::new(), rung);
        let delay = jittered(delay);
        // The queue's own limit stands above it: https://www.rabbitmq.com/docs/ttl#per-message-ttl-in-publishers
        again.properties = again.properties.with_expiration(delay.as_millis().to_string().into());
        let subject = Subject::of(&held.delivery.data);
        let now = self.settings.clock.now();
        let retry = (!held.id().is_empty()).then(|| Retry {
            message_id: held.id().to_owned(),
            pull_id: subject.pull_id,
            chunk: subject.chunk,
            attempts: failed_attempts,
            code: failure.code,
            message: failure.to_string(),
            first_failed_at: first_failed_at(&again).unwrap_or(now),
            retry_at: now + chrono::TimeDelta::from_std(delay).unwrap_or_default(),
        });
        (retry, again)
    }

    /// A message that failed, with the reason in its headers.
    pub(super) fn failed(
        &self,
        delivery: &Delivery,
        failure: &Failure,
        failed_attempts: u32,
        exchange: String,
        key: String,
    ) -> Outgoing {
        let now = self.settings.clock.now();
        let properties =
            headers::failed(&delivery.properties, self.stage.name, failure, failed_attempts, now);
        Outgoing { exchange, key, mandatory: true, properties, body: delivery.data.clone() }
    }

    /// A message that had failed before is done with: nobody should be told that it waits.
    pub(super) fn forget_retry(&mut self, held: &InHand<W::In>) {
        if held.failed_attempts() > 0 && !held.id().is_empty() {
            self.settled_retries.push(held.id().to_owned());
        }
    }

    /// Tells what waits to be tried again, and what does not any longer. Nothing depends on it: what cannot be written is
    /// tried once more with the next batch, or left out.
    async fn tell_retries(&mut self, retries: &[Retry]) {
        let Some(reporter) = self.worker.status_reporter() else { return };
        let (stage, now) = (self.stage.name, self.settings.clock.now());
        if !retries.is_empty()
            && let Err(failure) = reporter.note_retries(stage, retries, now).await
        {
            tracing::debug!(code = failure.code, "retries are not written down: {failure}");
        }
        if !self.settled_retries.is_empty() {
            match reporter.forget_retries(stage, &self.settled_retries).await {
                Ok(()) => self.settled_retries.clear(),
                Err(failure) => {
                    tracing::debug!(code = failure.code, "settled retries are not removed: {failure}");
                }
            }
        }
    }
}

/// When a message failed first, as its headers say.
fn first_failed_at(message: &Outgoing) -> Option<DateTime<Utc>> {
    let headers = message.properties.headers().as_ref()?;
    dead_letter::text(headers, headers::header::FIRST_FAILED_AT)?.parse().ok()
}

pub(super) async fn acknowledge(delivery: &Delivery) -> Result<(), Failure> {
    acknowledged(delivery.acker.ack(BasicAckOptions::default()).await)
}

/// A delivery the broker does not know any more means the session is over.
pub(super) fn acknowledged(acknowledged: Result<bool, lapin::Error>) -> Result<(), Failure> {
    match acknowledged {
        Ok(true) => Ok(()),
        Ok(false) => Err(broken("the broker has taken a delivery back")),
        Err(error) => Err(error.into()),
    }
}
