//! Whether the sessions that are open by now may be the trouble.
//!
//! A failure is told far from its session, so it is the process that remembers, and every session of before is replaced at
//! its next use. As long as all is well this costs nothing.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// When a failure last said that sessions may be the trouble: one has ended, is read-only, or its prepared statements do not
/// fit any more.
static SINCE: Mutex<Option<Instant>> = Mutex::new(None);

/// Has every session that is open by now replaced at its next use.
pub(super) fn raise() {
    *SINCE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
}

/// Whether a session opened then is among them.
pub(super) fn falls_on(opened: Instant) -> bool {
    SINCE.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|since| opened <= since)
}
