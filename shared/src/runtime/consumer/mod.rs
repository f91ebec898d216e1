//! A stage's consumer: takes deliveries, hands them to the worker, settles each by what came back.
//!
//! It is a state machine, and [`Status`] holds the state:
//!
//! ```text
//! Idle ──ready──▶ Consuming ──trouble──▶ Paused ──ready again──▶ HalfOpen ──one message handled──▶ Consuming
//!    └──not ready──▶ Paused                 ◀──────trouble again──────┘            any ──told to stop──▶ Draining
//! any ──a person pauses the stage──▶ Paused(by …) ──the person resumes it──▶ HalfOpen
//! ```
//!
//! Trouble is what the broker, the database, the deployment or Twitch cannot do: no message pays for it. A paused
//! consumer keeps what is in its hand for a while, asks only whether the worker is ready, and tries one message before
//! the others. What cannot be published is kept until it can be ([`settle`]). One file per step: [`intake`] takes, [`accept`] reads,
//! [`batch`] divides, [`execute`] calls the worker, [`settle`] carries out, [`dead_letters`] gives up, [`give_back`]
//! returns, [`breaker`] trips, [`obey`] waits for the person who has paused the stage.

mod accept;
mod batch;
mod breaker;
mod dead_letters;
mod execute;
mod give_back;
mod intake;
mod obey;
mod publish;
mod settle;

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use self::{
    breaker::Breaker,
    intake::{CANCELLED, InHand, Intakes},
};
use super::{Settings, Worker, broker::session::Session, orders::Heard, retry::Delays, status::Status};
use crate::{
    failure::{Class, Failure},
    topology::StageInfo,
    worker_state::State,
};

/// How long a paused consumer keeps what is in its hand: longer than a restart of a server takes, and short enough for
/// another replica, which may not have the trouble, to come in.
const KEEP_PAUSED: Duration = Duration::from_secs(15);
/// The shortest and the longest time between two questions of a paused consumer whether it can go on.
const ASK_SOONEST: Duration = Duration::from_millis(500);
const ASK_LATEST: Duration = Duration::from_secs(10);
/// How long what a worker depends on may take to say whether it can be used.
const READY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a half-open consumer waits for a message to try; if there is none, there is nothing to spare.
const NOTHING_TO_TRY: Duration = Duration::from_secs(1);

/// A session broke: drop it, and what is in hand comes again.
pub(super) fn broken(why: impl Into<String>) -> Failure {
    Failure::new(Class::Outage, "broker.session", why)
}

impl From<lapin::Error> for Failure {
    fn from(error: lapin::Error) -> Self {
        Self::of(Class::Outage, "broker.session", &error)
    }
}

/// A consumer over one session.
pub(super) struct Consumer<'a, W: Worker> {
    worker: &'a W,
    session: &'a Session,
    settings: &'a Settings,
    status: &'a Status,
    stop: &'a CancellationToken,
    orders: Heard,
    /// Whether one message is handled in spite of a pause.
    running_once: bool,
    stage: StageInfo,
    hands: Vec<InHand<W::In>>,
    breaker: Breaker,
    /// There from the first trouble to the first message that is handled well again.
    recovery: Option<Recovery>,
    /// Retries that are settled and could not be removed from the table yet, by message id.
    settled_retries: Vec<String>,
}

/// A pause, with the tries to end it: a trouble that comes back after one message goes on with it.
struct Recovery {
    waits: Delays,
    /// Until then what is in hand is kept.
    give_back_at: Instant,
}

impl Recovery {
    fn new() -> Self {
        Self { waits: Delays::between(ASK_SOONEST, ASK_LATEST), give_back_at: Instant::now() + KEEP_PAUSED }
    }
}

impl<'a, W: Worker> Consumer<'a, W> {
    pub(super) fn new(
        worker: &'a W,
        session: &'a Session,
        settings: &'a Settings,
        status: &'a Status,
        stop: &'a CancellationToken,
        orders: Heard,
    ) -> Self {
        Self {
            worker,
            session,
            settings,
            status,
            stop,
            orders,
            running_once: false,
            stage: W::STAGE.info(),
            hands: Vec::new(),
            breaker: Breaker::new(settings.pause_after),
            recovery: None,
            settled_retries: Vec::new(),
        }
    }

    /// Works until told to stop. Fails when the session breaks.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        let mut intakes: Option<Intakes> = None;
        while !self.stop.is_cancelled() {
            if self.is_paused_by_person() {
                self.obey(&mut intakes).await?;
                continue;
            }
            match self.status.state() {
                None => self.begin().await,
                Some(State::Consuming) => self.consume(&mut intakes).await?,
                Some(State::Paused) => self.wait_until_ready(&mut intakes).await?,
                Some(State::HalfOpen) => self.try_one(&mut intakes).await?,
                Some(State::Draining) => break,
            }
        }
        self.status.draining();
        self.give_back(intakes).await
    }

    /// Idle: takes nothing before the worker can work.
    async fn begin(&mut self) {
        match self.ready().await {
            Ok(()) => self.status.consuming(),
            Err(failure) => self.status.pause(&failure),
        }
    }

    /// Whether what the worker depends on can be used, and it is known whether the stage is to pause.
    async fn ready(&self) -> Result<(), Failure> {
        let mut orders = self.orders.clone();
        let ready = async {
            self.worker.ready().await?;
            // Who has nobody to tell orders is told that there are none.
            let _ = orders.wait_for(Option::is_some).await;
            Ok(())
        };
        timeout(READY_TIMEOUT, ready).await.unwrap_or_else(|_| {
            let why = format!("what it depends on did not answer within {} s", READY_TIMEOUT.as_secs());
            Err(Failure::new(Class::Outage, "worker.not_ready", why))
        })
    }

    /// Consuming: handles deliveries until told to stop, or until there is trouble. Replayed messages are taken only
    /// while there is nothing else, a few at a time: a live message waits for those at most.
    async fn consume(&mut self, intakes: &mut Option<Intakes>) -> Result<(), Failure> {
        self.recovery = None;
        let Some(open) = self.open(intakes, self.stage.prefetch).await? else { return Ok(()) };
        while self.status.state() == Some(State::Consuming) && !self.is_paused_by_person() {
            let due = self.hands.iter().map(|held| held.due).min();
            let waited = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let taken = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                () = news(&mut self.orders) => None,
                taken = open.work.take() => Some(taken),
                () = waited => None,
                taken = open.replays.take() => Some(taken),
            };
            match taken {
                Some(Ok(deliveries)) => self.accept(deliveries).await?,
                Some(Err(failure)) => return self.unsubscribe(intakes, failure).await,
                None => {}
            }
            let now = Instant::now();
            let ready = self.take_from_hand(|held| held.not_before <= now);
            self.handle(ready).await?;
            self.return_overdue().await?;
        }
        Ok(())
    }

    /// Paused: asks only whether the worker is ready. What is in hand is kept for a while, then given back once.
    async fn wait_until_ready(&mut self, intakes: &mut Option<Intakes>) -> Result<(), Failure> {
        loop {
            let recovery = self.recovery.get_or_insert_with(Recovery::new);
            let (wait, give_back_at) = (recovery.waits.next(), recovery.give_back_at);
            let ask_at = Instant::now() + wait.max(self.status.retry_after());
            if intakes.is_some() && ask_at > give_back_at {
                tokio::select! {
                    () = self.stop.cancelled() => return Ok(()),
                    () = news(&mut self.orders) => return Ok(()),
                    () = sleep_until(give_back_at) => {}
                }
                self.give_back(intakes.take()).await?;
            }
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                () = news(&mut self.orders) => return Ok(()),
                () = sleep_until(ask_at) => {}
            }
            match self.can_go_on().await {
                Ok(()) => {
                    self.status.half_open();
                    return Ok(());
                }
                Err(failure) => self.status.pause(&failure),
            }
        }
    }

    /// Whether the queues are there, where they were not, and the worker can work.
    async fn can_go_on(&self) -> Result<(), Failure> {
        if self.status.is_paused_for("broker.") {
            self.session.declare().await?;
        }
        self.ready().await
    }

    /// Half-open: one message before the others. Where there is none, there is nothing to spare.
    async fn try_one(&mut self, intakes: &mut Option<Intakes>) -> Result<(), Failure> {
        if self.hands.is_empty() {
            // A message or two in hand, not a prefetch of hundreds, if there is trouble still.
            let Some(open) = self.open(intakes, 1).await? else { return Ok(()) };
            let taken = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                () = news(&mut self.orders) => return Ok(()),
                taken = open.work.take() => taken,
                taken = open.replays.take() => taken,
                () = sleep(NOTHING_TO_TRY) => {
                    self.status.consuming();
                    return Ok(());
                }
            };
            match taken {
                Ok(deliveries) => self.accept(deliveries).await?,
                Err(failure) => return self.unsubscribe(intakes, failure).await,
            }
        }
        let now = Instant::now();
        let mut first = true;
        let one = self.take_from_hand(|held| held.not_before <= now && std::mem::take(&mut first));
        self.handle(one).await?;
        // It was no trouble of the stage's: the message was handled, or pays for a fault of its own.
        if self.status.state() == Some(State::HalfOpen) {
            self.status.consuming();
        }
        Ok(())
    }

    /// The queues, being read with this prefetch. None, and a pause, where one of them is not there.
    async fn open<'i>(
        &mut self,
        intakes: &'i mut Option<Intakes>,
        prefetch: u16,
    ) -> Result<Option<&'i mut Intakes>, Failure> {
        // One that reads more than is asked for now would do no harm; one that reads less would be slow for good.
        if intakes.as_ref().is_some_and(|open| open.prefetch < prefetch) {
            self.give_back(intakes.take()).await?;
        }
        if intakes.is_none() {
            match Intakes::open(self.session, self.stage, prefetch).await {
                Ok(open) => *intakes = Some(open),
                Err(error) if error.is_amqp_soft_error() => {
                    let why = format!("the queues of the {} cannot be read", self.stage.name);
                    let failure = Failure::of(Class::Outage, "broker.absent", &error);
                    self.status.pause(&Failure { message: format!("{why}: {}", failure.message), ..failure });
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(intakes.as_mut())
    }

    /// Lets go of queues whose consumer the broker ended, to subscribe again after a pause; what was in hand of them comes
    /// again, if they are there. Fails when it is the session that has ended.
    async fn unsubscribe(&mut self, intakes: &mut Option<Intakes>, failure: Failure) -> Result<(), Failure> {
        if failure.code != CANCELLED {
            return Err(failure);
        }
        self.status.pause(&failure);
        self.hands.clear();
        self.count_hands(0);
        if let Some(open) = intakes.take() {
            open.abandon().await;
        }
        Ok(())
    }

    fn take_from_hand(&mut self, wanted: impl FnMut(&InHand<W::In>) -> bool) -> Vec<InHand<W::In>> {
        let mut wanted = wanted;
        let (taken, kept) = self.hands.drain(..).partition(|held| wanted(held));
        self.hands = kept;
        taken
    }

    /// Tells how many messages are in hand: these, and so many under way.
    fn count_hands(&self, under_way: usize) {
        self.status.in_hand(self.hands.len() + under_way);
    }
}

/// Waits for orders that were not looked at yet; for ever where nobody gives any.
async fn news(orders: &mut Heard) {
    if orders.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
