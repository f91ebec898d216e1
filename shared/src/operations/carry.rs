//! Carrying an operation out: held by a claim that is renewed, noted step by step, ended.

use std::{collections::HashSet, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    action::Action,
    perform::{Effect, Tools, sent},
};
use crate::{
    clock::Clock,
    dead_letters::Operation,
    failure::{Class, Failure},
    store::{Claim, Error, NewOperation, OperationRow, RENEW_EVERY, ReplayReport, Store},
};

/// Steps of a replay that does not wait for its results are noted this far apart.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// The code of a carrier's failure that was replaced.
const REPLACED: &str = "operation.replaced";

/// Who orders, from where, and what was confirmed.
#[derive(Debug, Clone, Copy)]
pub struct Requester<'a> {
    /// Who.
    pub by: &'a str,
    /// `console` or `command line`.
    pub from: &'a str,
    /// How many dead letters matched; none where it is about none.
    pub counted: Option<i64>,
}

/// Orders an action, for an extractor to carry out. Returns the operation's number.
pub async fn request(
    store: &Store,
    clock: &Clock,
    action: &Action,
    requester: Requester<'_>,
) -> Result<i64, Error> {
    let ((kind, arguments), command) = (action.to_row(), action.command());
    let Requester { by, from, counted } = requester;
    let new = NewOperation { kind: &kind, arguments: &arguments, command: &command, by, from, counted };
    store.request_operation(&new, clock.now()).await
}

/// Orders an action that this process carries out itself. Returns the right to do so.
pub async fn begin(
    store: &Store,
    clock: &Clock,
    action: &Action,
    requester: Requester<'_>,
    carrier: &str,
) -> Result<Claim, Error> {
    let ((kind, arguments), command) = (action.to_row(), action.command());
    let Requester { by, from, counted } = requester;
    let new = NewOperation { kind: &kind, arguments: &arguments, command: &command, by, from, counted };
    store.begin_operation(&new, carrier, clock.now()).await
}

/// Keeps a claim while `work` is done, and ends its operation with what `effect` says of it.
pub async fn record<T, E>(
    store: &Store,
    clock: &Clock,
    claim: Claim,
    effect: impl FnOnce(&T) -> Effect,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E>
where
    E: From<Failure> + From<Error> + std::fmt::Display,
{
    let done = tokio::select! {
        done = work => done,
        failure = keep(store, clock, claim) => return Err(failure.into()),
    };
    let (state, outcome) = match &done {
        Ok(done) => {
            let effect = effect(done);
            (effect.state(), effect.to_string())
        }
        Err(error) => ("failed", error.to_string()),
    };
    let ended = store.end_operation(claim, state, &outcome, clock.now()).await;
    match (done, ended) {
        (Ok(_), Err(error)) => Err(error.into()),
        (done, _) => done,
    }
}

/// Says again and again that somebody carries it out; returns when that is somebody else.
async fn keep(store: &Store, clock: &Clock, claim: Claim) -> Failure {
    loop {
        sleep(RENEW_EVERY).await;
        match store.renew_operation(claim, clock.now()).await {
            Ok(true) => {}
            Ok(false) => {
                let why = format!("somebody else carries operation {} out by now", claim.operation_id);
                return Failure::permanent(REPLACED, why);
            }
            Err(error) => tracing::debug!(%error, "operation {} is not renewed", claim.operation_id),
        }
    }
}

/// A process that carries operations out.
pub struct Carrier {
    /// With what.
    pub tools: Tools,
    /// Its name, for the record.
    pub name: String,
    /// Whether somebody goes on with an operation after trouble that may pass. Otherwise it fails.
    pub goes_on: bool,
}

impl Carrier {
    /// Carries out what it has claimed, and ends the operation; `progress` is told how far a replay has got.
    ///
    /// # Errors
    /// Why it failed, which its row says as well; or why it cannot go on now: then its claim runs out, and the next one goes on.
    pub async fn carry_out(
        &self,
        claim: Claim,
        row: &OperationRow,
        stop: &CancellationToken,
        mut progress: impl FnMut(&ReplayReport),
    ) -> Result<Effect, Failure> {
        let Tools { store, clock, .. } = &self.tools;
        let again = !claim.is_first();
        let taken = if again { "taken over by" } else { "begun by" };
        self.note(claim, &format!("{taken} {}", self.name)).await?;
        let (steps, mut noted) = mpsc::unbounded_channel();
        let operation =
            Operation { id: Some(row.id), exactly: None, stop: stop.clone(), goes_on: self.goes_on };
        let working = async {
            let mut last: Option<Instant> = None;
            let mut told = HashSet::new();
            let done = self.tools.perform(row, again, &operation, |report: &ReplayReport| {
                progress(report);
                let (sent, due) = (sent(report), last.is_none_or(|last| last.elapsed() >= NOTE_EVERY));
                if (due || report.pending == 0) && told.insert(sent.clone()) {
                    last = Some(Instant::now());
                    // Nobody notes it any more where the claim is lost.
                    let _ = steps.send(sent);
                }
            });
            let done = Box::pin(done).await;
            drop(steps);
            done
        };
        let noting = async {
            while let Some(step) = noted.recv().await {
                if let Err(error) = self.note(claim, &step).await {
                    tracing::debug!(%error, "a step of operation {} is not noted", row.id);
                }
            }
        };
        let done = tokio::select! {
            (done, ()) = async { tokio::join!(working, noting) } => done,
            failure = keep(store, clock, claim) => Err(failure),
        };
        self.end(claim, row, done).await
    }

    async fn end(
        &self,
        claim: Claim,
        row: &OperationRow,
        done: Result<Effect, Failure>,
    ) -> Result<Effect, Failure> {
        let Tools { store, clock, .. } = &self.tools;
        match &done {
            Ok(effect) => {
                store.end_operation(claim, effect.state(), &effect.to_string(), clock.now()).await?;
            }
            Err(failure) if failure.code == REPLACED => {}
            Err(failure) if self.goes_on && failure.class != Class::Permanent => {
                self.note(claim, &format!("waits a little: {failure}")).await?;
            }
            Err(failure) => store.end_operation(claim, "failed", &failure.to_string(), clock.now()).await?,
        }
        let by = &row.requested_by;
        match &done {
            Ok(effect) => tracing::info!(operation = row.id, by, "operation {}: {effect}", row.id),
            Err(failure) => {
                tracing::warn!(
                    operation = row.id,
                    by,
                    code = failure.code,
                    "operation {}: {failure}",
                    row.id
                );
            }
        }
        done
    }

    async fn note(&self, claim: Claim, step: &str) -> Result<(), Error> {
        self.tools.store.note_operation_step(claim, step, self.tools.clock.now()).await
    }
}
