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
//! returns, [`breaker`] trips, [`blame`] finds out who took too long, [`readiness`] waits for the end of a trouble, [`obey`] for the
//! person who has paused the stage.

mod accept;
mod batch;
mod blame;
mod breaker;
mod dead_letters;
mod execute;
mod give_back;
mod intake;
mod obey;
mod publish;
mod readiness;
mod recovery;
mod settle;

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::{
    blame::Suspects,
    breaker::Breaker,
    intake::{CANCELLED, InHand, Intake, Intakes, MOST_REPLAYS},
    recovery::Recovery,
};
use super::{
    Settings, Worker,
    broker::{error::BrokerError, session::Session},
    orders::{Heard, news},
    status::Status,
};
use crate::{
    failure::{Class, Failure},
    topology::StageInfo,
    worker_state::State,
};

/// Messages that were announced together follow one another faster than this.
const MOMENT: Duration = Duration::from_millis(2);
/// So many moments are waited for at most.
const MOST_MOMENTS: usize = 5;

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
    suspects: Suspects,
    /// There from the first trouble to the first message that is handled well again.
    recovery: Option<Recovery>,
    /// Retries that are settled and could not be removed from the table yet, by message id.
    settled_retries: Vec<String>,
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
            suspects: Suspects::new(settings.max_in_hand),
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
                Some(Ok(deliveries)) => {
                    self.accept(deliveries).await?;
                    if let Err(failure) = self.accept_company(open).await {
                        return self.unsubscribe(intakes, failure).await;
                    }
                }
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

    /// Takes what was announced together with what has just come, until a moment brings nothing or as much is in hand as may be.
    /// The first of a dozen, handled by itself, would make the others wait for a whole call to Twitch. Fails as
    /// [`Intake::take`] does.
    async fn accept_company(&mut self, open: &mut Intakes) -> Result<(), Failure> {
        for _ in 0..MOST_MOMENTS {
            if self.hands.len() >= usize::from(open.prefetch) {
                break;
            }
            sleep(MOMENT).await;
            let company = open.work.take_waiting()?;
            if company.is_empty() {
                break;
            }
            self.accept(company).await?;
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
            // Replays first: what is sent ahead of the others has to be given back.
            let most_replays = prefetch.min(MOST_REPLAYS);
            let Some(replays) = self.subscribe(self.stage.replay(), most_replays).await? else {
                return Ok(None);
            };
            let Some(work) = self.subscribe(self.stage.queue().to_owned(), prefetch).await? else {
                self.give_back_intake(replays).await?;
                return Ok(None);
            };
            *intakes = Some(Intakes { work, replays, prefetch });
        }
        Ok(intakes.as_mut())
    }

    /// A queue, being read. None, and a pause, where it is not there or nobody answers for it; none when it is time to stop.
    async fn subscribe(&self, queue: String, prefetch: u16) -> Result<Option<Intake>, Failure> {
        let why = format!("{queue} cannot be read");
        let opening = self.session.consume.ask(Intake::open(self.session, queue, prefetch));
        let opened = tokio::select! {
            () = self.stop.cancelled() => return Ok(None),
            opened = opening => opened,
        };
        let failure = match opened {
            Ok(Ok(intake)) => return Ok(Some(intake)),
            Ok(Err(error)) if error.is_amqp_soft_error() => {
                Failure::of(Class::Outage, "broker.absent", &error)
            }
            // The connection is well: it is this queue that has no leader.
            Err(error @ BrokerError::Timeout) => Failure::of(Class::Outage, "broker.unanswered", &error),
            Ok(Err(error)) => return Err(error.into()),
            Err(error) => return Err(error.into()),
        };
        self.status.pause(&Failure { message: format!("{why}: {}", failure.message), ..failure });
        Ok(None)
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
            open.abandon(self.session).await;
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
