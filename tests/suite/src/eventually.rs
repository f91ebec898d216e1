//! Waiting for something to become true, with a deadline that says what did not.

use std::{fmt::Debug, future::Future, time::Duration};

use tokio::time::{Instant, sleep};

/// Long enough for anything that works, on the slowest machine; nobody waits this long unless something is broken.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

/// Asks `probe` until it has an answer; panics with `what` and the last trouble when the deadline has passed.
pub(crate) async fn eventually<T, E: Debug, F: Future<Output = Result<T, E>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let begun = Instant::now();
    loop {
        match probe().await {
            Ok(answer) => return answer,
            Err(trouble) if begun.elapsed() > DEADLINE => {
                panic!("{what}: not within {DEADLINE:?}: {trouble:?}")
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}
