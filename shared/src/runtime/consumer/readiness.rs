//! Before the first message, and after trouble: asks whether the worker can work, then tries one message.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    super::{Worker, orders::news},
    Consumer,
    intake::Intakes,
    recovery::Recovery,
};
use crate::{
    failure::{Class, Failure},
    worker_state::State,
};

/// How long what a worker depends on may take to say whether it can be used.
const READY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a half-open consumer waits for a message to try; if there is none, there is nothing to spare.
pub(super) const NOTHING_TO_TRY: Duration = Duration::from_secs(1);

impl<W: Worker> Consumer<'_, W> {
    /// Idle: takes nothing before the worker can work.
    pub(super) async fn begin(&mut self) {
        match self.ready().await {
            Ok(()) => self.status.consuming(),
            Err(failure) => self.status.pause(&failure),
        }
    }

    /// Whether what the worker depends on can be used, and it is known whether the stage is to pause.
    pub(super) async fn ready(&self) -> Result<(), Failure> {
        let mut orders = self.orders.clone();
        let ready = async {
            self.worker.ready().await?;
            match self.status.deaf() {
                Some(failure) if orders.borrow().is_none() => return Err(failure),
                _ => {}
            }
            // Who has nobody to tell orders is told that there are none.
            let _ = orders.wait_for(Option::is_some).await;
            Ok(())
        };
        timeout(READY_TIMEOUT, ready).await.unwrap_or_else(|_| {
            if let Some(failure) = self.status.deaf() {
                return Err(failure);
            }
            let why = format!("what it depends on did not answer within {} s", READY_TIMEOUT.as_secs());
            Err(Failure::new(Class::Outage, "worker.not_ready", why))
        })
    }

    /// Paused: asks only whether the worker is ready. What is in hand is kept for a while, then given back once.
    pub(super) async fn wait_until_ready(&mut self, intakes: &mut Option<Intakes>) -> Result<(), Failure> {
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
    pub(super) async fn try_one(&mut self, intakes: &mut Option<Intakes>) -> Result<(), Failure> {
        self.return_overdue().await?;
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
}
