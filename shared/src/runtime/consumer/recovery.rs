//! A pause that the consumer tries to end.

use std::time::Duration;

use tokio::time::Instant;

use super::super::retry::Delays;

/// How long a paused consumer keeps what is in its hand: longer than a restart of a server takes, and short enough for
/// another replica, which may not have the trouble, to come in.
const KEEP_PAUSED: Duration = Duration::from_secs(15);
/// The shortest and the longest time between two questions of a paused consumer whether it can go on.
const ASK_SOONEST: Duration = Duration::from_millis(500);
const ASK_LATEST: Duration = Duration::from_secs(10);

/// A pause, with the tries to end it: a trouble that comes back after one message goes on with it.
pub(super) struct Recovery {
    pub(super) waits: Delays,
    /// Until then what is in hand is kept.
    pub(super) give_back_at: Instant,
}

impl Recovery {
    pub(super) fn new() -> Self {
        Self { waits: Delays::between(ASK_SOONEST, ASK_LATEST), give_back_at: Instant::now() + KEEP_PAUSED }
    }
}
