//! Looks after a pool's sessions as long as its store is there: closes those that are idle, and looks for a server that has gone
//! silent.

use std::time::Duration;

use deadpool::managed::{Pool, PoolError, Timeouts};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::{session::Sessions, silence::ANSWER_WITHIN};

/// How often one more session is asked for while some are in use.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What looks after them. Ends when dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    _closing: AbortOnDropHandle<()>,
    _looking: AbortOnDropHandle<()>,
}

impl Keeper {
    /// Begins; sessions may be `idle` for so long.
    pub(super) fn start(pool: Pool<Sessions>, idle: Duration) -> Self {
        let looking = tokio::spawn(look(pool.clone()));
        let closing = tokio::spawn(close(pool, idle));
        Self { _closing: AbortOnDropHandle::new(closing), _looking: AbortOnDropHandle::new(looking) }
    }
}

/// Closes sessions that were idle for too long.
async fn close(pool: Pool<Sessions>, idle: Duration) {
    loop {
        sleep(idle / 4).await;
        pool.retain(|_, metrics| metrics.last_used() < idle);
    }
}

/// Asks for one more session while some are in use: theirs may be waiting for a server that does not answer.
async fn look(pool: Pool<Sessions>) {
    loop {
        sleep(LOOK_EVERY).await;
        let status = pool.status();
        if status.size <= status.available {
            continue;
        }
        // What comes of it is told to those who wait for an answer.
        let waits = Timeouts { wait: Some(ANSWER_WITHIN), create: None, recycle: None };
        if let Err(PoolError::Timeout(_)) = pool.timeout_get(&waits).await {
            drop(pool.manager().open().await);
        }
    }
}
