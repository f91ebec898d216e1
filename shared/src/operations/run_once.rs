//! One message of a paused stage, and what becomes of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    clock::Clock,
    failure::Failure,
    store::{RUN_ONCE_WITHIN, RunOnceReport, Store},
};

/// How long a message may be in hand, where nobody says otherwise.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);
/// The time between two looks at what became of it.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Has a paused stage handle one message for an operation, and waits for what becomes of it, for `patience` at most. Who goes on
/// with the operation waits for the same message.
///
/// # Errors
/// Where the stage is not paused, where none of its workers has taken a message within a minute, or where the one that has is
/// not done in time.
pub async fn run_once(
    store: &Store,
    clock: &Clock,
    stage: &str,
    by: &str,
    operation: i64,
    patience: Duration,
) -> Result<RunOnceReport, Failure> {
    let failed = |why: String| Failure::permanent("operation.not_run_once", why);
    let request = store.request_run_once(stage, by, Some(operation), clock.now()).await?;
    let not_paused = || failed(format!("the {stage} is not paused: `operator pause {stage}` pauses it"));
    let request = request.ok_or_else(not_paused)?;
    let taken_on_in_time = RUN_ONCE_WITHIN.to_std().unwrap_or_default().min(patience);
    let began = Instant::now();
    loop {
        let report = store.run_once_report(request).await?;
        if report.outcome.is_some() {
            return Ok(report);
        }
        match &report.taken_by {
            None if began.elapsed() > taken_on_in_time => {
                return Err(failed(format!(
                    "no {stage} has taken a message: `operator doctor` says why; the request is void after a minute"
                )));
            }
            Some(replica) if began.elapsed() > patience => {
                return Err(failed(format!("{replica} has not finished its message yet")));
            }
            _ => sleep(POLL_EVERY).await,
        }
    }
}
