//! The time of the tests.

use chrono::{DateTime, Utc};

/// The time of the tests.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-07-12T10:42:00Z".parse().unwrap()
}
