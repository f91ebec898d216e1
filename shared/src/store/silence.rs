//! A database that goes silent: its host has vanished, or its process was stopped. TCP is content for a long time, and whoever
//! waits for an answer would wait with it.
//!
//! Three things notice it, none of which counts how long a statement takes: some need minutes. A session that was not used
//! just now is asked before it is used again, which also finds one whose last user went away in the middle of a statement.
//! While sessions are in use, one more is asked for every few seconds (`keeper.rs`). And once a server lets a new session wait for longer
//! than `connect_timeout`, all sessions with it end, so that the next are opened with the next server of the URL.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{task::AbortHandle, time::timeout};
use tokio_postgres::Client;

use super::{Error, suspicion};

/// How long an answer to nothing may take.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Who was used so shortly ago is not asked: a busy store asks nobody.
const JUST_USED: Duration = Duration::from_secs(1);

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
    if let Ok(answer) = timeout(ANSWER_WITHIN, client.batch_execute("/* silence::ask */")).await {
        return Ok(answer?);
    }
    // The others need not be asked one after the other.
    suspicion::raise();
    Err(Error::Silent)
}
