//! What Twitch's answers say of the bucket.
//!
//! Source: <https://dev.twitch.tv/docs/api/guide/#twitch-rate-limits>.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;

/// Longest wait after a 429. The bucket is full again after a minute.
pub(super) const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Wait after a 429 that does not say for how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(5);
/// Wait after a 429 although there are points.
const FALSE_ALARM_WAIT: Duration = Duration::from_secs(2);

/// What an answer says of the bucket. A header that is absent or makes no sense is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::helix) struct Reading {
    /// Points of a full bucket.
    pub(super) limit: Option<u32>,
    /// Whole points left.
    pub(super) remaining: Option<u32>,
    /// When the bucket is full again (not: when there is a point again).
    pub(super) full_at: Option<DateTime<Utc>>,
}

impl Reading {
    /// The reading in `Ratelimit-Limit`, `Ratelimit-Remaining` and `Ratelimit-Reset` (Unix seconds).
    pub(in crate::helix) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name)?.to_str().ok();
        Self {
            limit: text("ratelimit-limit").and_then(|text| text.parse().ok()).filter(|limit| *limit > 0),
            remaining: text("ratelimit-remaining").and_then(|text| text.parse().ok()),
            full_at: text("ratelimit-reset").and_then(|text| DateTime::from_timestamp(text.parse().ok()?, 0)),
        }
    }

    /// How long to call nobody after a 429 with this reading. With points left it is a false alarm, which Twitch has had.
    pub(super) fn wait(&self, now: DateTime<Utc>) -> Duration {
        if self.remaining.is_some_and(|points| points > 0) {
            return FALSE_ALARM_WAIT;
        }
        self.full_at
            .and_then(|full_at| (full_at - now).to_std().ok())
            .filter(|wait| *wait > Duration::ZERO)
            .map_or(UNTOLD_WAIT, |wait| wait.min(LONGEST_WAIT))
    }
}
