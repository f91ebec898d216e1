//! What an order does: the functions that the operator's commands call.

use std::fmt;

use chrono::TimeDelta;

use super::{
    action::Action,
    run_once::{PATIENCE, run_once},
};
use crate::{
    clock::Clock,
    dead_letters::{self, Operation, Order, Replay},
    failure::Failure,
    pull,
    runtime::Announcer,
    schema::PullId,
    steering::StagePause,
    store::{DeadLetterFilter, Error, OperationRow, ReplayReport, RunOnceReport, Store},
    topology::{Announcement, StageInfo},
    view::format::count,
};

/// What orders are carried out with.
#[derive(Clone)]
pub struct Tools {
    /// The database.
    pub store: Store,
    /// The broker.
    pub announcer: Announcer,
    /// The clock.
    pub clock: Clock,
}

/// What came of an order; in words as a person reads it.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Dead letters were sent back.
    Replayed(Replay),
    /// So many dead letters were discarded.
    Discarded(usize),
    /// So many were restored.
    Restored(usize),
    /// So many were held.
    Held(usize),
    /// So many were released.
    Released(usize),
    /// A pull runs again, with so many chunks.
    RunsAgain(PullId, usize),
    /// A stage is paused.
    Paused(String),
    /// A stage goes on; whether it was paused.
    Resumed(String, bool),
    /// A paused stage was to handle one message; what became of it.
    RanOnce(String, RunOnceReport),
    /// A pull is cancelled.
    Cancelled(PullId),
}

impl Effect {
    /// The state in which it leaves its operation.
    pub(super) const fn state(&self) -> &'static str {
        match self {
            Self::Replayed(Replay { stopped: Some(_), .. }) => "stopped",
            _ => "done",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dead_letters = |n: &usize| count(*n, "dead letter");
        match self {
            Self::Replayed(Replay { report, stopped: Some(why), .. }) => write!(f, "{}; {why}", sent(report)),
            Self::Replayed(Replay { report, .. }) => write!(f, "{}", sent(report)),
            Self::Discarded(n) => write!(f, "{} discarded", dead_letters(n)),
            Self::Restored(n) => write!(f, "{} restored", dead_letters(n)),
            Self::Held(n) => write!(f, "{} held", dead_letters(n)),
            Self::Released(n) => write!(f, "{} released", dead_letters(n)),
            Self::RunsAgain(pull, chunks) => {
                write!(f, "pull {pull} runs again with {}", count(*chunks, "chunk"))
            }
            Self::Paused(stage) => write!(f, "the {stage} is paused"),
            Self::Resumed(stage, true) => write!(f, "the {stage} goes on"),
            Self::Resumed(stage, false) => write!(f, "nobody had paused the {stage}"),
            Self::RanOnce(stage, report) => {
                let message = report.message_id.as_deref().filter(|id| !id.is_empty());
                let message = message.unwrap_or("a message without an id");
                let by = report.taken_by.as_deref().unwrap_or(stage);
                match report.outcome.as_deref() {
                    Some("settled") => write!(f, "{message} is settled, by {by}; the {stage} stays paused"),
                    Some("nothing-waits") => write!(f, "nothing waits for the {stage}"),
                    _ => write!(
                        f,
                        "{message} is back in its queue: {by} met trouble, `operator doctor` says which"
                    ),
                }
            }
            Self::Cancelled(pull) => write!(f, "pull {pull} is cancelled"),
        }
    }
}

/// How far a replay has got.
pub(super) fn sent(report: &ReplayReport) -> String {
    let ReplayReport { letters: chosen, done, returned_same, returned_different, pending, not_sent, .. } =
        report;
    format!(
        "{} of {} sent: {done} resolved, {} failed again, {pending} pending",
        chosen - not_sent,
        count(*chosen, "dead letter"),
        returned_same + returned_different
    )
}

impl Tools {
    /// Carries out what a row orders; `again` where somebody has begun before.
    pub(super) async fn perform(
        &self,
        row: &OperationRow,
        again: bool,
        operation: &Operation,
        progress: impl FnMut(&ReplayReport),
    ) -> Result<Effect, Failure> {
        let Self { store, announcer, clock } = self;
        let (by, now) = (&row.requested_by, clock.now());
        match Action::of(row)? {
            Action::Replay { filter, to, limit, rate, canary, exactly } => {
                let order = Order {
                    filter,
                    target: to.as_deref().map(stage).transpose()?,
                    limit,
                    rate,
                    body: None,
                    canary: canary.map(Into::into),
                    by: by.clone(),
                };
                let exactly = row.counted.filter(|_| exactly);
                let operation = Operation { exactly, ..operation.clone() };
                let replayed =
                    dead_letters::replay_for(store, announcer, clock, &order, &operation, progress).await?;
                replayed.map(Effect::Replayed).ok_or_else(none_matches)
            }
            Action::Discard { filter, exactly } => {
                let filter = filter.in_queue();
                if let (true, false, Some(confirmed)) = (exactly, again, row.counted) {
                    let found = store.count_dead_letters(&filter).await?;
                    if found != confirmed {
                        return Err(Operation::counted_otherwise(confirmed, found));
                    }
                }
                dead_letters::discard(store, announcer, clock, &filter, by).await.map(Effect::Discarded)
            }
            Action::Restore { ids } => {
                if !again {
                    check_archived(store, &ids).await?;
                }
                let restored = dead_letters::restore(store, announcer, clock, &ids, by).await?;
                Ok(Effect::Restored(restored.len()))
            }
            Action::Hold { filter, until_build } => {
                Ok(Effect::Held(store.hold_dead_letters(&filter, until_build.as_deref(), by, now).await?))
            }
            Action::Release { filter } => {
                Ok(Effect::Released(store.release_dead_letters(&filter, by, now).await?))
            }
            Action::Rerun { pull, from } => {
                let id = PullId(pull);
                match pull::rerun(store, announcer, clock, id, from, by).await {
                    Ok(rerun) => Ok(Effect::RunsAgain(id, rerun.chunks())),
                    // Whoever began it got so far; what was not announced is, by the finalizer's watch.
                    Err(failure) if again && failure.code == "pull.not_to_rerun" => {
                        Ok(Effect::RunsAgain(id, 0))
                    }
                    Err(failure) => Err(failure),
                }
            }
            Action::Pause { stage: name, reason, seconds } => {
                stage(&name)?;
                let until = seconds.map(|seconds| row.requested_at + TimeDelta::seconds(seconds.into()));
                let pause = StagePause {
                    stage: name.clone(),
                    paused_by: by.clone(),
                    reason,
                    paused_at: row.requested_at,
                    until,
                };
                store.pause_stage(&pause).await?;
                Ok(Effect::Paused(name))
            }
            Action::Resume { stage } => {
                let ended = store.resume_stage(&stage, by, now).await?;
                Ok(Effect::Resumed(stage, ended.is_some() || again))
            }
            Action::RunOnce { stage: name } => {
                stage(&name)?;
                let report = run_once(store, clock, &name, by, row.id, PATIENCE).await?;
                Ok(Effect::RanOnce(name, report))
            }
            Action::Cancel { pull, reason } => {
                let id = PullId(pull);
                match store.cancel_pull(id, by, reason.as_deref(), now).await {
                    Ok(()) => {}
                    Err(Error::Ended { .. }) if again => {}
                    Err(error) => return Err(error.into()),
                }
                let event: Vec<Announcement> = store.closed(id).await?.iter().map(Announcement::of).collect();
                announcer.announce(event).await?;
                Ok(Effect::Cancelled(id))
            }
        }
    }
}

/// All or nothing: a number that is wrong is found before anything is moved.
async fn check_archived(store: &Store, ids: &[i64]) -> Result<(), Failure> {
    let states = Some(["discarded", "vanished"].map(str::to_owned).to_vec());
    let named = DeadLetterFilter { ids: Some(ids.to_vec()), states, ..DeadLetterFilter::default() };
    let archived = store.list_dead_letters(&named, 0, i64::MAX).await?;
    match ids.iter().find(|id| archived.iter().all(|dead_letter| dead_letter.id != **id)) {
        None => Ok(()),
        Some(id) => {
            let why = format!("dead letter {id} is neither discarded nor vanished: nothing was changed");
            Err(Failure::permanent("operation.not_archived", why))
        }
    }
}

fn stage(name: &str) -> Result<StageInfo, Failure> {
    let none = || Failure::permanent("operation.no_stage", format!("this build has no stage {name:?}"));
    StageInfo::find(name).ok_or_else(none)
}

fn none_matches() -> Failure {
    Failure::permanent("operation.none_matches", "no dead letter matches: nothing was sent")
}
