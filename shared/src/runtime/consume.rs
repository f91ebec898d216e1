//! One session's work: take deliveries, hand them to the worker, settle each by what came back.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::{FutureExt, StreamExt};
use lapin::{
    Channel, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::Instrument;

use super::{
    Job, Outcome, Settings, Step, Stop, Verdict, Worker,
    broker::Session,
    envelope, fingerprint,
    health::Health,
    letter,
    publish::Outgoing,
    retry::jittered,
    trace::{self, Scope, Trace},
    verdict,
};
use crate::{
    failure::{Class, Failure},
    measure,
    schema::{DecodeError, decode},
    topology::{Announcement, CURED, DEAD_LETTERS, StageInfo},
};

/// How long one call of a handler may take; far below the half hour after which RabbitMQ takes deliveries back.
const HANDLE_TIMEOUT: Duration = Duration::from_mins(5);

/// Most replayed messages in hand.
const MOST_REPLAYS: u16 = 10;

/// How a session's work ended, where it did not break.
pub(super) enum Ended {
    /// Told to stop, and nothing is left in hand.
    Stopped,
}

/// A session broke: drop it, and what is in hand comes again.
pub(super) fn broken(why: impl Into<String>) -> Failure {
    Failure::new(Class::Outage, "broker.session", why)
}

impl From<lapin::Error> for Failure {
    fn from(error: lapin::Error) -> Self {
        Self::of(Class::Outage, "broker.session", &error)
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let code = match error {
            DecodeError::Malformed { .. } => "message.malformed",
            DecodeError::Kind { .. } => "message.kind",
            DecodeError::Version { .. } => "message.version",
        };
        Self::of(Class::Permanent, code, &error)
    }
}

/// A queue that is being read.
struct Intake {
    queue: String,
    channel: Channel,
    consumer: Consumer,
}

impl Intake {
    async fn open(session: &Session, queue: String, prefetch: u16) -> Result<Self, Failure> {
        let channel = session.consume.connection().create_channel().await?;
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let (name, options) = (envelope::short(&queue), BasicConsumeOptions::default());
        let consumer = channel.basic_consume(name, "".into(), options, FieldTable::default()).await?;
        Ok(Self { queue, channel, consumer })
    }

    /// Takes no more, and returns what was sent ahead.
    async fn close(mut self) -> Result<(Channel, Vec<Delivery>), Failure> {
        self.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default()).await?;
        let mut ahead = Vec::new();
        while let Some(delivery) = self.consumer.next().await {
            ahead.push(delivery?);
        }
        Ok((self.channel, ahead))
    }
}

/// A delivery in hand.
struct InHand<In> {
    delivery: Delivery,
    /// Whether it came from the replay queue.
    replayed: bool,
    scope: Scope,
    job: Job<In>,
    taken: Instant,
    /// Not to be handed in before this, whatever arrives.
    not_before: Instant,
    /// To be handed in by then at the latest.
    due: Instant,
}

/// What is to be done with a delivery after it was handled.
enum Fate {
    Acknowledge,
    Keep,
}

pub(super) struct Consumption<'a, W: Worker> {
    worker: &'a W,
    session: &'a Session,
    settings: &'a Settings,
    health: &'a Health,
    stop: &'a Stop,
    stage: StageInfo,
    hands: Vec<InHand<W::In>>,
}

impl<'a, W: Worker> Consumption<'a, W> {
    pub(super) fn new(
        worker: &'a W,
        session: &'a Session,
        settings: &'a Settings,
        health: &'a Health,
        stop: &'a Stop,
    ) -> Self {
        Self { worker, session, settings, health, stop, stage: W::STAGE.info(), hands: Vec::new() }
    }

    /// Works until told to stop, or until the session breaks.
    pub(super) async fn run(mut self) -> Result<Ended, Failure> {
        loop {
            let mut work =
                Intake::open(self.session, self.stage.queue().to_owned(), self.stage.prefetch).await?;
            let few = self.stage.prefetch.min(MOST_REPLAYS);
            let mut replays = Intake::open(self.session, self.stage.replay(), few).await?;
            let pause = self.work(&mut work.consumer, &mut replays.consumer).await?;
            self.give_back(work, replays).await?;
            let Some(pause) = pause else { return Ok(Ended::Stopped) };
            tokio::select! {
                () = self.stop.requested() => return Ok(Ended::Stopped),
                () = sleep(pause) => {}
            }
        }
    }

    /// Handles deliveries until it is time to stop (none) or to pause (for how long). Replayed messages are taken only
    /// while there is nothing else, a few at a time: a live message waits for those at most.
    async fn work(
        &mut self,
        work: &mut Consumer,
        replays: &mut Consumer,
    ) -> Result<Option<Duration>, Failure> {
        loop {
            let due = self.hands.iter().map(|held| held.due).min();
            let waited = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.requested() => return Ok(None),
                delivery = work.next() => {
                    self.take(delivery, false).await?;
                    // Whatever else is here already goes along.
                    while let Some(delivery) = work.next().now_or_never() {
                        self.take(delivery, false).await?;
                    }
                }
                () = waited => {}
                delivery = replays.next() => {
                    self.take(delivery, true).await?;
                    while let Some(delivery) = replays.next().now_or_never() {
                        self.take(delivery, true).await?;
                    }
                }
            }
            if let Some(pause) = self.handle().await? {
                return Ok(Some(pause));
            }
        }
    }

    /// Takes a delivery in hand; one that cannot be read is dead-lettered at once.
    async fn take(
        &mut self,
        delivery: Option<Result<Delivery, lapin::Error>>,
        replayed: bool,
    ) -> Result<(), Failure> {
        let mut delivery = delivery.ok_or_else(|| broken("the broker cancelled the consumer"))??;
        let queue = if replayed { self.stage.replay() } else { self.stage.queue().to_owned() };
        measure::consumed(&queue);
        let scope = trace::delivered(self.stage, &queue, &delivery);
        if Trace::of(&delivery.properties).is_none() {
            // Whatever becomes of it stays in the trace that begins here.
            delivery.properties = scope.trace.put(&delivery.properties);
        }
        match decode::<W::In>(&delivery.data) {
            Ok(message) => {
                let now = Instant::now();
                let job = Job { message, held: Duration::ZERO, steps: 0 };
                let (taken, not_before, due) = (now, now, now);
                self.hands.push(InHand { delivery, replayed, scope, job, taken, not_before, due });
                Ok(())
            }
            Err(error) => {
                let failure = Failure::from(error);
                let letter = scope.span.in_scope(|| self.dead_letter(&delivery, &scope, &failure, 1));
                self.session.publisher.publish(&[letter]).await?;
                acknowledge(&delivery).await
            }
        }
    }

    /// Hands in what may be handed in, and settles it. Returns how long to pause, if the worker cannot go on.
    async fn handle(&mut self) -> Result<Option<Duration>, Failure> {
        let now = Instant::now();
        let (mut ready, waiting): (Vec<_>, Vec<_>) =
            self.hands.drain(..).partition(|held| held.not_before <= now);
        self.hands = waiting;
        if ready.is_empty() {
            return Ok(None);
        }
        for held in &mut ready {
            held.job.held = held.taken.elapsed();
        }
        // The last attempt is made alone, so that a bad neighbour cannot take a message along.
        let (last, others): (Vec<_>, Vec<_>) = ready.into_iter().partition(|held| {
            self.settings.delays.is_last(envelope::failed_attempts(&held.delivery.properties))
        });
        let batches = last.into_iter().map(|held| vec![held]).chain((!others.is_empty()).then_some(others));
        let mut pause = None;
        for batch in batches.collect::<Vec<_>>() {
            if pause.is_some() {
                self.hands.extend(batch);
                continue;
            }
            let began = Instant::now();
            let outcomes = self.outcomes(&batch).await;
            self.measure(&batch, &outcomes, began.elapsed());
            pause = self.settle(batch, outcomes).await?;
        }
        Ok(pause)
    }

    fn measure(&self, batch: &[InHand<W::In>], outcomes: &[Outcome], took: Duration) {
        for (held, outcome) in batch.iter().zip(outcomes) {
            let queue = if held.replayed { self.stage.replay() } else { self.stage.queue().to_owned() };
            measure::processed(&queue, took, outcome.as_ref().err().map(|failure| failure.code));
        }
    }

    /// The worker's outcomes. A panic, or a timeout, in company is looked into one by one.
    async fn outcomes(&self, batch: &[InHand<W::In>]) -> Vec<Outcome> {
        // Since the last batch a migration may have run that does not serve this build.
        if let Err(failure) = self.worker.ready().await {
            return batch.iter().map(|_| Err(failure.clone())).collect();
        }
        let jobs: Vec<Job<W::In>> = batch.iter().map(|held| held.job.clone()).collect();
        let span = trace::handled_together(self.stage, batch.iter().map(|held| &held.scope));
        match self.attempt(&jobs).instrument(span.clone()).await {
            Ok(outcomes) => outcomes,
            Err(failure) if jobs.len() == 1 => vec![Err(failure)],
            Err(failure) => {
                tracing::warn!(
                    parent: &span,
                    code = failure.code,
                    "{} jobs failed together: trying each alone: {failure}",
                    jobs.len()
                );
                let mut outcomes = Vec::with_capacity(jobs.len());
                for (job, held) in jobs.iter().zip(batch) {
                    let alone = self.attempt(std::slice::from_ref(job));
                    let alone = alone.instrument(held.scope.span.clone()).await;
                    outcomes.push(alone.map_or_else(Err, |mut outcomes| outcomes.remove(0)));
                }
                outcomes
            }
        }
    }

    async fn attempt(&self, jobs: &[Job<W::In>]) -> Result<Vec<Outcome>, Failure> {
        let handled = AssertUnwindSafe(self.worker.handle(jobs)).catch_unwind();
        match timeout(HANDLE_TIMEOUT, handled).await {
            Ok(Ok(outcomes)) if outcomes.len() == jobs.len() => Ok(outcomes),
            Ok(Ok(outcomes)) => {
                let why = format!("the handler gave {} outcomes for {} jobs", outcomes.len(), jobs.len());
                Err(Failure::permanent("worker.outcomes", why))
            }
            Ok(Err(panic)) => {
                Err(Failure::permanent("worker.panic", format!("the handler panicked: {}", words(&*panic))))
            }
            Err(_) => {
                let why = format!("the handler took longer than {} s", HANDLE_TIMEOUT.as_secs());
                Err(Failure::transient("worker.timeout", why))
            }
        }
    }

    /// Publishes all that came out of a batch, then acknowledges what is done with.
    async fn settle(
        &mut self,
        batch: Vec<InHand<W::In>>,
        outcomes: Vec<Outcome>,
    ) -> Result<Option<Duration>, Failure> {
        let now = Instant::now();
        let mut outgoing: Vec<Outgoing> = Vec::new();
        let mut settled = Vec::with_capacity(batch.len());
        let mut pause = None;
        let mut worked = false;
        for (mut held, outcome) in batch.into_iter().zip(outcomes) {
            worked |= outcome.is_ok();
            let fate = match outcome {
                Ok(Step::Done(announcements)) => {
                    outgoing.extend(self.addressed(announcements, &held.scope.trace));
                    outgoing.extend(self.cured(&held.delivery, &held.scope.trace));
                    Fate::Acknowledge
                }
                Ok(Step::More(announcements)) => {
                    outgoing.extend(self.addressed(announcements, &held.scope.trace));
                    if held.job.steps > 0 {
                        // There was progress: what fails next fails for the first time. The first step of a delivery
                        // is none, since it may only repeat what the delivery before did.
                        held.delivery.properties = envelope::progressed(&held.delivery.properties);
                    }
                    held.job.steps += 1;
                    (held.not_before, held.due) = (now, now);
                    Fate::Keep
                }
                Ok(Step::Hold(delay)) => {
                    (held.not_before, held.due) = (now, now + delay);
                    Fate::Keep
                }
                Err(failure) => {
                    let span = held.scope.span.clone();
                    self.judge(&mut held, &failure, &mut outgoing, &mut pause).instrument(span).await?
                }
            };
            settled.push((held, fate));
        }
        self.session.publisher.publish(&outgoing).await?;
        for (held, fate) in settled {
            match fate {
                Fate::Acknowledge => acknowledge(&held.delivery).await?,
                Fate::Keep => self.hands.push(held),
            }
        }
        if worked && pause.is_none() && self.health.is_paused() {
            tracing::info!("{} works again", self.stage.name);
            self.health.paused(None);
        }
        Ok(pause)
    }

    fn addressed(&self, announcements: Vec<Announcement>, trace: &Trace) -> impl Iterator<Item = Outgoing> {
        announcements.into_iter().map(|announcement| self.session.publisher.address(announcement, trace))
    }

    /// Carries out the verdict on a failed job.
    async fn judge(
        &self,
        held: &mut InHand<W::In>,
        failure: &Failure,
        outgoing: &mut Vec<Outgoing>,
        pause: &mut Option<Duration>,
    ) -> Result<Fate, Failure> {
        let failed_attempts = envelope::failed_attempts(&held.delivery.properties) + 1;
        let id = held.delivery.properties.message_id().as_ref().map_or("", |id| id.as_str());
        let verdict = verdict(failure, failed_attempts, &self.settings.delays);
        held.scope.span.record("error.type", failure.code).record("otel.status_code", "ERROR");
        tracing::warn!(
            message_id = id, class = %failure.class, code = failure.code, failed_attempts, ?verdict,
            "{id} failed: {failure}"
        );
        match verdict {
            Verdict::Retry(delay) => {
                outgoing.push(self.retry(&held.delivery, failure, failed_attempts, delay));
                Ok(Fate::Acknowledge)
            }
            Verdict::Hold(delay) => {
                held.not_before = Instant::now() + delay;
                held.due = held.not_before;
                Ok(Fate::Keep)
            }
            Verdict::Pause(delay) => {
                self.pause(failure, delay, pause);
                Ok(Fate::Keep)
            }
            Verdict::DeadLetter => match self.worker.give_up(&held.job.message, failure).await {
                Ok(announcements) => {
                    outgoing.extend(self.addressed(announcements, &held.scope.trace));
                    outgoing.push(self.dead_letter(&held.delivery, &held.scope, failure, failed_attempts));
                    Ok(Fate::Acknowledge)
                }
                // It cannot even be noted: nothing is given up before it is.
                Err(trouble) => {
                    tracing::warn!(code = trouble.code, "{id} cannot be given up yet: {trouble}");
                    self.pause(&trouble, Duration::from_secs(2), pause);
                    Ok(Fate::Keep)
                }
            },
        }
    }

    fn pause(&self, failure: &Failure, delay: Duration, pause: &mut Option<Duration>) {
        if !self.health.is_paused() {
            tracing::error!(class = %failure.class, code = failure.code, "{} pauses: {failure}", self.stage.name);
        }
        self.health.paused(Some(failure.to_string()));
        *pause = Some(pause.map_or(delay, |longest| longest.max(delay)));
    }

    fn retry(
        &self,
        delivery: &Delivery,
        failure: &Failure,
        failed_attempts: u32,
        delay: Duration,
    ) -> Outgoing {
        let mut again =
            self.failed(delivery, failure, failed_attempts, String::new(), self.stage.retry(delay));
        // The queue's own limit stands above it: https://www.rabbitmq.com/docs/ttl#per-message-ttl-in-publishers
        let expiration = jittered(delay).as_millis().to_string();
        again.properties = again.properties.with_expiration(expiration.into());
        again
    }

    fn dead_letter(
        &self,
        delivery: &Delivery,
        scope: &Scope,
        failure: &Failure,
        failed_attempts: u32,
    ) -> Outgoing {
        tracing::error!(code = failure.code, "dead letter: {failure}");
        let (exchange, key) = (DEAD_LETTERS.to_owned(), self.stage.name.to_owned());
        let mut letter = self.failed(delivery, failure, failed_attempts, exchange, key);
        let mut name = letter::name(self.stage.name, &letter.properties, &letter.body);
        if delivery.properties.message_id().is_none() {
            // Nothing tells it from another of the same words: each is a letter of its own.
            name = format!("{name}-{}", fingerprint::nonce());
        }
        // A replay is linked to the span in which the message died.
        letter.properties = scope.trace.put(&envelope::letter(&letter.properties, &name));
        letter
    }

    /// The news that a replayed message was handled, for the ledger.
    fn cured(&self, delivery: &Delivery, trace: &Trace) -> Option<Outgoing> {
        let replayed = letter::replayed(&delivery.properties)?;
        let properties =
            envelope::cured(replayed, self.session.publisher.program(), self.settings.clock.now());
        Some(Outgoing {
            exchange: DEAD_LETTERS.to_owned(),
            key: CURED.to_owned(),
            mandatory: true,
            properties: trace.put(&properties),
            body: Vec::new(),
        })
    }

    fn failed(
        &self,
        delivery: &Delivery,
        failure: &Failure,
        failed_attempts: u32,
        exchange: String,
        key: String,
    ) -> Outgoing {
        let now = self.settings.clock.now();
        let properties =
            envelope::failed(&delivery.properties, self.stage.name, failure, failed_attempts, now);
        Outgoing { exchange, key, mandatory: true, properties, body: delivery.data.clone() }
    }

    /// Gives back all that is in hand and all that was sent ahead: published again as it was, which spends none of the
    /// deliveries that guard against crashes, then acknowledged.
    async fn give_back(&mut self, work: Intake, replays: Intake) -> Result<(), Failure> {
        let (replayed, live): (Vec<_>, Vec<_>) = self.hands.drain(..).partition(|held| held.replayed);
        for (intake, hands) in [(work, live), (replays, replayed)] {
            let queue = intake.queue.clone();
            let (channel, ahead) = intake.close().await?;
            let deliveries: Vec<Delivery> =
                hands.into_iter().map(|held| held.delivery).chain(ahead).collect();
            let again: Vec<Outgoing> = deliveries
                .iter()
                .map(|delivery| Outgoing {
                    exchange: String::new(),
                    key: queue.clone(),
                    mandatory: true,
                    properties: envelope::again(&delivery.properties),
                    body: delivery.data.clone(),
                })
                .collect();
            self.session.publisher.publish(&again).await?;
            // All in one: of hundreds of single acknowledgements the broker tells a quorum queue some at a time, and
            // forgets the rest when the channel closes.
            if let Some(latest) = deliveries.iter().max_by_key(|delivery| delivery.delivery_tag) {
                settled(latest.acker.ack(BasicAckOptions { multiple: true }).await)?;
            }
            channel.close(200, "not taking work".into()).await?;
        }
        Ok(())
    }
}

async fn acknowledge(delivery: &Delivery) -> Result<(), Failure> {
    settled(delivery.acker.ack(BasicAckOptions::default()).await)
}

/// A delivery the broker does not know any more means the session is over.
fn settled(acknowledged: Result<bool, lapin::Error>) -> Result<(), Failure> {
    match acknowledged {
        Ok(true) => Ok(()),
        Ok(false) => Err(broken("the broker has taken a delivery back")),
        Err(error) => Err(error.into()),
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}
