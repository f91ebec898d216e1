//! A stage that a person has paused: everything is given back at once, unspent, and nothing is taken until the person ends
//! the pause, but for one message at a time where that is asked for.

use tokio::time::{Instant, sleep, sleep_until};

use super::{
    super::Worker,
    Consumer,
    intake::{Intakes, Taken},
    readiness::NOTHING_TO_TRY,
};
use crate::{failure::Failure, steering::RunOnceOutcome};

impl<W: Worker> Consumer<'_, W> {
    /// Whether a person has paused the stage.
    pub(super) fn is_paused_by_person(&self) -> bool {
        !self.running_once && self.orders.borrow().as_ref().is_some_and(|orders| orders.pause.is_some())
    }

    /// Waits for the end of the pause that a person has ordered, or to be told to stop.
    pub(super) async fn obey(&mut self, intakes: &mut Option<Intakes>) -> Result<(), Failure> {
        self.give_back(intakes.take()).await?;
        self.recovery = None;
        while self.is_paused_by_person() {
            let wanted =
                self.orders.borrow_and_update().as_ref().is_some_and(|orders| orders.run_once.is_some());
            if wanted && let Some(request) = self.take_on().await {
                self.run_once(request).await?;
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                changed = self.orders.changed() => if changed.is_err() { return Ok(()) },
            }
        }
        // As after any pause: one message before the others.
        match self.ready().await {
            Ok(()) => self.status.half_open(),
            Err(failure) => self.status.pause(&failure),
        }
        Ok(())
    }

    /// Takes on a request for one message, unless another replica was faster. One that cannot be taken on now, because the
    /// database is unavailable, is void soon.
    async fn take_on(&self) -> Option<i64> {
        let taken = self.worker.steering()?.take_run_once(
            self.stage.name,
            self.status.replica(),
            self.settings.clock.now(),
        );
        taken.await.ok().flatten()
    }

    /// Handles one message to its end, and gives back what the broker has sent ahead.
    async fn run_once(&mut self, request: i64) -> Result<(), Failure> {
        self.running_once = true;
        let ran = self.handle_one().await;
        self.running_once = false;
        let (outcome, message) = ran?;
        let (name, outcome_name) = (self.stage.name, outcome.as_str());
        tracing::info!(
            stage = name,
            message_id = message,
            "{name} was asked for one message: {outcome_name}"
        );
        if let Some(steering) = self.worker.steering()
            && let Err(failure) =
                steering.note_run_once(request, outcome, message.as_deref(), self.settings.clock.now()).await
        {
            tracing::warn!(code = failure.code, "what became of one message is not written down: {failure}");
        }
        Ok(())
    }

    async fn handle_one(&mut self) -> Result<(RunOnceOutcome, Option<String>), Failure> {
        self.status.half_open();
        let mut intakes = None;
        let Some(open) = self.open(&mut intakes, 1).await? else {
            return Ok((RunOnceOutcome::GivenBack, None));
        };
        let taken = tokio::select! {
            biased;
            () = self.stop.cancelled() => Ok(Vec::new()),
            taken = open.work.take() => taken,
            () = sleep(NOTHING_TO_TRY) => open.replays.take_waiting(),
        };
        let message = match &taken {
            Ok(taken) => taken.first().map(Taken::message_id),
            Err(_) => None,
        };
        match taken {
            Ok(deliveries) => self.accept(deliveries).await?,
            Err(failure) => {
                self.unsubscribe(&mut intakes, failure).await?;
                return Ok((RunOnceOutcome::GivenBack, None));
            }
        }
        while let Some(due) = self.hands.iter().map(|held| held.due).min() {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = sleep_until(due) => {}
            }
            let now = Instant::now();
            let ready = self.take_from_hand(|held| held.not_before <= now);
            self.handle(ready).await?;
            self.return_overdue().await?;
            if self.status.is_paused() {
                break;
            }
        }
        let outcome = match (&message, self.hands.is_empty()) {
            (None, _) => RunOnceOutcome::NothingWaits,
            (Some(_), true) => RunOnceOutcome::Settled,
            (Some(_), false) => RunOnceOutcome::GivenBack,
        };
        self.give_back(intakes).await?;
        Ok((outcome, message))
    }
}
