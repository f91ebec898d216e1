//! Sending dead letters back, so that a kill at any instant loses nothing and has one effect.
//!
//! For each dead letter: note that it is about to be sent, publish a fresh message and await the broker's confirmation, note
//! that it is sent, take the dead letter out of its queue, note that. Whoever finds a replay cut short finishes what was
//! begun: a dead letter noted as sent is only taken out; one that was about to be sent, and may be out or not, is sent once
//! more unless something came of it already. Two fresh messages of one dead letter carry the same replay: the handlers do
//! their work once, and if both die they are one dead letter again.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    interrupted::finish_interrupted,
    order::{Canary, Operation, Order},
    sending::{AT_ONCE, Sending, no_stage},
};
use crate::{
    clock::Clock,
    failure::{Class, Failure},
    runtime::Announcer,
    store::{Plan, ReplayLease, ReplayReport, Store},
    topology::StageInfo,
};

/// The steps of a careful replay: so many dead letters, then a look at what came of them.
const CANARY: [i64; 7] = [1, 2, 5, 10, 20, 50, 100];
/// How often to look what came of a step.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often a replay that waits says that it is alive; well within the time after which it counts as interrupted.
const STAY_ALIVE: Duration = Duration::from_secs(5);

/// How a replay ends that sent all it had to, and one that somebody stopped.
const COMPLETE: &str = "complete";
const ORDERED: &str = "it was asked to stop";

/// What a replay did.
#[derive(Debug, Clone)]
pub struct Replay {
    /// Its number.
    pub replay_id: i64,
    /// What came of it so far.
    pub report: ReplayReport,
    /// Why it stopped before its end, if it did.
    pub stopped: Option<String>,
}

/// Replays what is ordered; none if no dead letter is meant. `progress` is told of every step.
pub async fn replay(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    order: &Order,
    progress: impl FnMut(&ReplayReport),
) -> Result<Option<Replay>, Failure> {
    replay_for(store, announcer, clock, order, &Operation::default(), progress).await
}

/// The same for an operation: goes on with its replay where somebody has begun it, and ends when it is to stop.
pub async fn replay_for(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    order: &Order,
    operation: &Operation,
    mut progress: impl FnMut(&ReplayReport),
) -> Result<Option<Replay>, Failure> {
    let begun = match operation.id {
        Some(id) => store.continue_replay(id, clock.now()).await?,
        None => None,
    };
    let lease = match begun {
        Some(begun) => match begun.ending {
            Some(ending) => return ended(store, begun.lease.replay_id, ending).await,
            None => begun.lease,
        },
        None => match plan(store, announcer, clock, order, operation).await? {
            Some(lease) => lease,
            None => return Ok(None),
        },
    };
    let replay_id = lease.replay_id;
    let sending = Sending { store, announcer, clock, lease, target: order.target };
    let stopped = match sending.all(order, &operation.stop, &mut progress).await {
        Ok(stopped) => stopped,
        Err(failure) if operation.goes_on && failure.class != Class::Permanent => return Err(failure),
        Err(failure) => {
            // What was begun is finished by whoever comes next, and so is the rest if this cannot be written down.
            let given_up = store.give_up_replay(lease, &format!("given up: {failure}"), clock.now()).await;
            if let Err(error) = given_up {
                tracing::warn!(replay = replay_id, %error, "replay {replay_id} is left as it is");
            }
            return Err(failure);
        }
    };
    let ending = stopped.unwrap_or_else(|| COMPLETE.to_owned());
    store.end_replay(replay_id, &ending, clock.now()).await?;
    ended(store, replay_id, ending).await
}

/// What a replay that has ended did.
async fn ended(store: &Store, replay_id: i64, ending: String) -> Result<Option<Replay>, Failure> {
    let report = store.replay_report(replay_id).await?.unwrap_or_default();
    Ok(Some(Replay { replay_id, report, stopped: (ending != COMPLETE).then_some(ending) }))
}

/// Chooses the dead letters; none where no dead letter is meant.
async fn plan(
    store: &Store,
    announcer: &Announcer,
    clock: &Clock,
    order: &Order,
    operation: &Operation,
) -> Result<Option<ReplayLease>, Failure> {
    if let Err(failure) = finish_interrupted(store, announcer, clock).await {
        tracing::warn!(
            code = failure.code,
            "a replay that was interrupted cannot be finished yet: {failure}"
        );
    }
    let mut origins = BTreeMap::new();
    // Only where they are matters here, not how many.
    for group in store.dead_letter_groups(&order.filter, Some(0)).await? {
        let origin = StageInfo::find(&group.stage).ok_or_else(|| no_stage(&group.stage, group.sample))?;
        origins.insert(origin.name, origin);
    }
    super::archive::await_queues(announcer, origins.into_values()).await?;
    let plan = Plan {
        target: order.target.map(|stage| stage.name),
        limit: order.limit,
        body: order.body.as_deref(),
        by: &order.by,
        operation: operation.id,
        exactly: operation.exactly,
    };
    let (lease, dead_letters) = store.plan_replay(&order.filter, &plan, clock.now()).await?;
    if let Some(exactly) = operation.exactly.filter(|exactly| *exactly != dead_letters) {
        return Err(Operation::counted_otherwise(exactly, dead_letters));
    }
    Ok((dead_letters > 0).then_some(lease))
}

impl Sending<'_> {
    /// Sends all dead letters, step by step. Returns why it stopped before its end, if it did.
    async fn all(
        &self,
        order: &Order,
        stop: &CancellationToken,
        progress: &mut impl FnMut(&ReplayReport),
    ) -> Result<Option<String>, Failure> {
        let began = Instant::now();
        let mut sent: u32 = 0;
        for step in 0.. {
            if stop.is_cancelled() {
                return Ok(Some(ORDERED.to_owned()));
            }
            let dead_letters = self.next(most(order, step)).await?;
            if dead_letters.is_empty() {
                break;
            }
            self.send(&dead_letters).await?;
            sent += u32::try_from(dead_letters.len()).unwrap_or(u32::MAX);
            progress(&self.report().await?);
            if let Some(canary) = &order.canary
                && let Some(why) = self.disappointed(canary, stop, progress).await?
            {
                return Ok(Some(why));
            }
            if let Some(rate) = order.rate {
                let due = began + Duration::from_secs_f64(f64::from(sent) / rate.max(0.001));
                self.wait_until(due, stop).await?;
            }
        }
        Ok(None)
    }

    /// Waits, and stays alive meanwhile; until it is to stop.
    async fn wait_until(&self, due: Instant, stop: &CancellationToken) -> Result<(), Failure> {
        while Instant::now() < due && !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep_until(due.min(Instant::now() + STAY_ALIVE)) => {}
            }
            self.next(0).await?;
        }
        Ok(())
    }

    /// Why a careful replay stops, once something came of all that was sent.
    async fn disappointed(
        &self,
        canary: &Canary,
        stop: &CancellationToken,
        progress: &mut impl FnMut(&ReplayReport),
    ) -> Result<Option<String>, Failure> {
        let mut moved = Instant::now();
        let mut before = 0;
        loop {
            let report = self.report().await?;
            let back = report.returned_same + report.returned_different;
            let settled = report.done + back;
            if stop.is_cancelled() {
                return Ok(Some(ORDERED.to_owned()));
            }
            if report.pending == 0 {
                progress(&report);
                #[expect(clippy::cast_precision_loss, reason = "a share of dead letters")]
                let share = back as f64 / settled.max(1) as f64;
                return Ok((share > canary.tolerate).then(|| {
                    format!("{back} of {settled} came back ({} for the same cause)", report.returned_same)
                }));
            }
            if settled > before {
                (before, moved) = (settled, Instant::now());
                progress(&report);
            }
            if moved.elapsed() > canary.patience {
                return Ok(Some(format!(
                    "no result for {} replayed messages after {}: is a {} running?",
                    report.pending,
                    humantime::format_duration(canary.patience),
                    self.target.map_or("worker of their stage", |stage| stage.name),
                )));
            }
            self.next(0).await?;
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Most dead letters of a step.
fn most(order: &Order, step: usize) -> i64 {
    match (&order.canary, order.rate) {
        (Some(_), _) => CANARY.get(step).copied().unwrap_or(AT_ONCE),
        // The queue is open for about a second at a time.
        #[expect(clippy::cast_possible_truncation, reason = "between 1 and 500")]
        (None, Some(rate)) => rate.ceil().clamp(1.0, 500.0) as i64,
        (None, None) => AT_ONCE,
    }
}
