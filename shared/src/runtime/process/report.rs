//! Tells how a worker is doing: in the log once it is ready, and in the database at each change and every few seconds.
//!
//! A database that cannot be written to is tried again with the next news: whoever asks it notices that by itself.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{
    super::{Worker, status::Status},
    duties::{Duty, Turn, lasting},
};
use crate::{
    clock::Clock,
    failure::Failure,
    worker_state::{State, StatusReporter, WorkerState},
};
use tokio::time::{sleep, timeout};

/// How often it is told when nothing changes; well within the minute after which a worker counts as gone.
const EVERY: Duration = Duration::from_secs(10);
/// How soon it is tried again when it could not be told.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// How long telling may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The duty that tells.
pub(in crate::runtime) fn duty<W: Worker>(worker: &Arc<W>, status: &Status, address: SocketAddr) -> Duty {
    let (worker, status) = (Arc::clone(worker), status.clone());
    lasting("state", move |turn| report(Arc::clone(&worker), status.clone(), address, turn))
}

/// Tells until told to stop, and then that the worker is gone.
async fn report<W: Worker>(
    worker: Arc<W>,
    status: Status,
    address: SocketAddr,
    turn: Turn,
) -> Result<(), Failure> {
    let name = W::STAGE.info().name;
    let mut changes = status.changes();
    let mut ready = false;
    loop {
        changes.borrow_and_update();
        if !ready && status.state() == Some(State::Consuming) {
            ready = true;
            tracing::info!(%address, "{name} is ready: http://{address}/readyz");
        }
        let told = match (worker.status_reporter(), status.snapshot()) {
            (Some(reporter), Some(state)) => {
                let state = WorkerState { allowance: worker.allowance(), ..state };
                tell(reporter, &state, status.clock()).await
            }
            _ => true,
        };
        // A database that takes nothing is told of elsewhere.
        turn.works();
        tokio::select! {
            () = turn.stop.cancelled() => break,
            _ = changes.changed() => {}
            () = sleep(if told { EVERY } else { TRY_AGAIN }) => {}
        }
    }
    if let (Some(reporter), Some(state)) = (worker.status_reporter(), status.snapshot()) {
        // Who ends without a word is forgotten after a minute.
        let _ = timeout(PATIENCE, reporter.leave(&state)).await;
    }
    Ok(())
}

async fn tell(reporter: &dyn StatusReporter, state: &WorkerState, clock: &Clock) -> bool {
    match timeout(PATIENCE, reporter.report(state, clock.now())).await {
        Ok(Ok(())) => true,
        Ok(Err(failure)) => {
            tracing::debug!(code = failure.code, "the worker's state is not written down: {failure}");
            false
        }
        Err(_) => false,
    }
}
