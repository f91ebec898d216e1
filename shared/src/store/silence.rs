//! A database that goes silent: its host has vanished, or its process was stopped. TCP is content for a long time, and whoever
//! waits for an answer would wait with it.
//!
//! Three things notice it, none of which counts how long a statement takes: some need minutes. A session that was not used
//! just now is asked before it is used again, which also finds one whose last user went away in the middle of a statement.
//! While sessions are in use, one more is asked for every few seconds. And once a server lets a new session wait for longer
//! than `connect_timeout`, all sessions with it end, so that the next are opened with the next server of the URL.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use deadpool::managed::{Pool, PoolError, Timeouts};
use tokio::{
    task::AbortHandle,
    time::{sleep, timeout},
};
use tokio_postgres::Client;

use super::{Error, session::Sessions, suspicion};

/// How long an answer to nothing may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Who was used so shortly ago is not asked: a busy store asks nobody.
const JUST_USED: Duration = Duration::from_secs(1);
/// How often one more session is asked for while some are in use.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The sessions that are open: where each is, since when, and what ends it.
#[derive(Default)]
pub(super) struct OpenSessions(Mutex<Vec<(String, Instant, AbortHandle)>>);

impl OpenSessions {
    /// Notes a session with the server at `place`.
    pub(super) fn add(&self, place: String, ends: AbortHandle) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(.., ends)| !ends.is_finished());
        open.push((place, Instant::now(), ends));
    }

    /// Ends those with the server at `place` that were open by then. Who waits for an answer is told that there is none.
    pub(super) fn end(&self, place: &str, by: Instant) {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let silent =
            open.iter().filter(|(at, since, ends)| at == place && *since <= by && !ends.is_finished());
        let ended = silent.inspect(|(.., ends)| ends.abort()).count();
        if ended > 0 {
            tracing::warn!("PostgreSQL does not answer at {place}: {ended} sessions with it were ended");
        }
    }
}

/// Asks a session whether it answers, unless it was used just now.
pub(super) async fn ask(client: &Client, last_used: Duration) -> Result<(), Error> {
    if last_used < JUST_USED {
        return Ok(());
    }
    match timeout(ANSWER_WITHIN, client.batch_execute("/* silence::ask */")).await {
        Ok(answer) => Ok(answer?),
        Err(_) => {
            // The others need not be asked one after the other.
            suspicion::raise();
            Err(Error::Silent)
        }
    }
}

/// Looks for silence as long as the store is there.
pub(super) async fn watch(pool: Pool<Sessions>) {
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
