//! A replay as it is carried out: by an extractor while this process follows it, or by this process where no extractor takes it on.

use std::time::Duration;

use shared::{
    operations::{self, Action, Carrier, Requester, Tools},
    store::{Claim, DeadLetterFilter, OperationNews, OperationRow, ReplayReport, Store},
};
use tokio::{signal::ctrl_c, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{super::recorded::carrier, selection::explain_no_match};
use crate::{
    context::{Connected, Context},
    error::Error,
    exit::Exit,
    json, output,
    progress::ReplayProgress,
    view::{format::count, replay_report},
};

/// An extractor that is there takes an operation on within this.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);
/// How long to wait where nothing is notified.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Follows a replay of these dead letters.
pub(super) struct Follower<'a> {
    context: &'a Context,
    store: &'a Store,
    filter: &'a DeadLetterFilter,
    progress: ReplayProgress,
}

impl<'a> Follower<'a> {
    pub(super) fn new(context: &'a Context, store: &'a Store, filter: &'a DeadLetterFilter) -> Self {
        Self { context, store, filter, progress: ReplayProgress::new(context.output.json) }
    }

    /// Orders the replay, and follows it to its end.
    pub(super) async fn carry_out(
        mut self,
        action: &Action,
        requester: Requester<'_>,
    ) -> Result<Exit, Error> {
        let (store, clock) = (self.store, &self.context.clock);
        let mut news = store.operation_news().await?;
        let workers = store.worker_states(clock.now()).await?;
        if workers.iter().all(|worker| worker.stage != "extractor") {
            let broker = self.context.connect().await?;
            let claim = operations::begin(store, clock, action, requester, &carrier()).await?;
            return self.here(claim, &broker, &mut news).await;
        }
        let id = operations::request(store, clock, action, requester).await?;
        let asked = Instant::now();
        loop {
            let row = self.row(id).await?;
            let taken = row.state != "requested";
            if row.ended_at.is_some() {
                return self.conclude(&row).await;
            }
            if !taken && asked.elapsed() >= TAKEN_WITHIN {
                output::warn(&format!("no extractor has taken operation {id} on: it is carried out here"));
                let broker = self.context.connect().await?;
                let claimed = store.claim_operation(Some(id), &carrier(), clock.now()).await?;
                if let Some((claim, _)) = claimed {
                    return self.here(claim, &broker, &mut news).await;
                }
            }
            if let Some(report) = self.report(&row).await? {
                self.progress.show(&report);
            }
            let patience = if taken { LOOK_AGAIN } else { TAKEN_WITHIN.saturating_sub(asked.elapsed()) };
            tokio::select! {
                heard = news.wait(patience) => heard?,
                _ = ctrl_c() => {
                    self.progress.clear();
                    output::error(&format!(
                        "operation {id} goes on: `operator operations show {id}` says how far it is, \
                         `operator operations stop {id}` stops it"
                    ));
                    return Ok(Exit::Interrupted);
                }
            }
        }
    }

    /// Carries it out in this process, until its end or until somebody stops it.
    async fn here(
        &mut self,
        claim: Claim,
        broker: &Connected,
        news: &mut OperationNews,
    ) -> Result<Exit, Error> {
        let (store, context, id) = (self.store, self.context, claim.operation_id);
        let tools =
            Tools { store: store.clone(), announcer: broker.announcer.clone(), clock: context.clock.clone() };
        let carrier = Carrier { tools, name: carrier(), goes_on: false };
        let (row, stop) = (self.row(id).await?, CancellationToken::new());
        let progress = &mut self.progress;
        let working = carrier.carry_out(claim, &row, &stop, |report| progress.show(report));
        let listening = async {
            while news.wait(LOOK_AGAIN).await.is_ok() {
                if store.stopping_operations(&[id]).await.is_ok_and(|stopping| !stopping.is_empty()) {
                    stop.cancel();
                }
            }
            // Nothing is heard any more: it cannot be stopped from elsewhere, and goes on.
            std::future::pending::<()>().await;
        };
        let done = tokio::select! {
            done = working => done,
            () = listening => return Ok(Exit::Failed),
            _ = ctrl_c() => {
                self.progress.clear();
                store.release_operation(claim).await?;
                output::error(&format!(
                    "operation {id} was interrupted here: an extractor goes on with it once one runs; \
                     `operator operations stop {id}` stops it, `operator dead-letters report` shows the results"
                ));
                return Ok(Exit::Interrupted);
            }
        };
        if let Err(failure) = done
            && failure.code != "operation.none_matches"
        {
            self.progress.clear();
            return Err(failure.into());
        }
        let row = self.row(id).await?;
        self.conclude(&row).await
    }

    /// Says what came of it.
    async fn conclude(&mut self, row: &OperationRow) -> Result<Exit, Error> {
        self.progress.clear();
        let outcome = row.outcome.clone().unwrap_or_default();
        let Some(report) = self.report(row).await? else {
            // Somebody else was faster.
            if self.store.count_replay(self.filter, None).await? == 0 {
                return Err(explain_no_match(self.store, self.filter).await?);
            }
            return Err(Error::Failed(outcome));
        };
        let why = report.ending.clone().unwrap_or_default();
        self.context.output.result(report, json::ReplayReport::from, replay_report);
        match row.state.as_str() {
            "done" => return Ok(Exit::Success),
            "stopped" => {}
            _ => return Err(Error::Failed(outcome)),
        }
        let left = count(self.store.count_replay(self.filter, None).await?, "dead letter");
        let who = match &row.stop_by {
            Some(by) => format!("was stopped by {by}"),
            None => format!("stopped by itself: {why}"),
        };
        output::error(&format!("the replay {who}; {left} still match"));
        Ok(Exit::Stopped)
    }

    async fn report(&self, row: &OperationRow) -> Result<Option<ReplayReport>, Error> {
        Ok(match row.replay_id {
            Some(replay) => self.store.replay_report(replay).await?,
            None => None,
        })
    }

    async fn row(&self, id: i64) -> Result<OperationRow, Error> {
        let gone = || Error::Failed(format!("operation {id} is not there any more"));
        self.store.operation(id).await?.ok_or_else(gone)
    }
}
