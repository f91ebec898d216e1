//! The point budget: a bucket that belongs to the client id, seen from one process.
//!
//! A pure state machine over the time it is told. It refills the bucket in thought, steadily, and believes every
//! answer that shows fewer points: other processes draw from the same bucket, and the true refill has been slower than
//! announced. While there are plenty of points it asks for no wait; near the reserve, each call waits for its own point,
//! so that all processes together settle where the bucket neither fills nor runs dry.
//!
//! Source: <https://dev.twitch.tv/docs/api/guide/#twitch-rate-limits>. It knows no HTTP beyond three headers.

#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderMap;

/// Points of a full bucket, until an answer tells: Twitch's usual number.
const USUAL_LIMIT: u32 = 800;
/// An empty bucket is full again after this many seconds.
const REFILL_SECONDS: f64 = 60.0;
/// The share of the bucket below which calls are paced.
const RESERVE: f64 = 0.05;
/// Longest wait after a 429. The bucket is full again after a minute.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Wait after a 429 that does not say for how long.
const UNTOLD_WAIT: Duration = Duration::from_secs(5);
/// Wait after a 429 although there are points.
const FALSE_ALARM_WAIT: Duration = Duration::from_secs(2);
/// Shortest wait worth asking for.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What an answer says of the bucket. A header that is absent or makes no sense is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Points of a full bucket.
    limit: Option<u32>,
    /// Points left.
    remaining: Option<u32>,
    /// When the bucket is full again (not: when there is a point again).
    full_at: Option<DateTime<Utc>>,
}

impl Reading {
    /// The reading in `Ratelimit-Limit`, `Ratelimit-Remaining` and `Ratelimit-Reset` (Unix seconds).
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name)?.to_str().ok();
        Self {
            limit: text("ratelimit-limit").and_then(|text| text.parse().ok()).filter(|limit| *limit > 0),
            remaining: text("ratelimit-remaining").and_then(|text| text.parse().ok()),
            full_at: text("ratelimit-reset").and_then(|text| DateTime::from_timestamp(text.parse().ok()?, 0)),
        }
    }
}

/// The point budget as this process sees it, for status displays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetView {
    /// Points thought to be left.
    pub remaining: u32,
    /// Points of a full bucket; 800 until Twitch has told.
    pub limit: u32,
    /// When the bucket will be full if nobody draws from it.
    pub full_at: DateTime<Utc>,
}

/// The bucket.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u32,
    /// Points thought to be left at `as_of`; fractions of a point are on their way.
    points: f64,
    as_of: DateTime<Utc>,
    /// Twitch has said 429: no calls before this time.
    closed_until: Option<DateTime<Utc>>,
}

impl Budget {
    /// A bucket taken to be full.
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self { limit: USUAL_LIMIT, points: f64::from(USUAL_LIMIT), as_of: now, closed_until: None }
    }

    /// Takes a point for a call, or says how long to wait before asking again.
    pub(super) fn admit(&mut self, now: DateTime<Utc>) -> Result<(), Duration> {
        self.refill(now);
        if let Some(wait) = self.closed_for(now) {
            return Err(wait);
        }
        let missing = self.reserve() + 1.0 - self.points;
        if missing > 0.0 {
            return Err(Duration::from_secs_f64(missing / self.rate()).max(SHORTEST_WAIT));
        }
        self.points -= 1.0;
        Ok(())
    }

    /// Corrects the estimate by an answer. Upward only when the bucket has another size than thought: an answer is
    /// older than the calls made since, and what it misses comes back by refilling.
    pub(super) fn learn(&mut self, reading: &Reading, now: DateTime<Utc>) {
        self.refill(now);
        let limit = reading.limit.unwrap_or(self.limit);
        let Some(remaining) = reading.remaining.map(|points| f64::from(points.min(limit))) else { return };
        self.points = if limit == self.limit { self.points.min(remaining) } else { remaining };
        self.limit = limit;
    }

    /// Notes a 429, and says how long to wait. With points left it is a false alarm, which Twitch has had.
    pub(super) fn refused(&mut self, reading: &Reading, now: DateTime<Utc>) -> Duration {
        let wait = if reading.remaining.is_some_and(|points| points > 0) {
            FALSE_ALARM_WAIT
        } else {
            self.refill(now);
            self.points = 0.0;
            reading
                .full_at
                .and_then(|full_at| (full_at - now).to_std().ok())
                .filter(|wait| *wait > Duration::ZERO)
                .map_or(UNTOLD_WAIT, |wait| wait.min(LONGEST_WAIT))
        };
        let until = now + TimeDelta::from_std(wait).unwrap_or_default();
        self.closed_until = self.closed_until.max(Some(until));
        wait
    }

    /// The bucket now.
    pub(super) fn view(&mut self, now: DateTime<Utc>) -> BudgetView {
        self.refill(now);
        let missing = Duration::from_secs_f64((f64::from(self.limit) - self.points) / self.rate());
        let full_at = now + TimeDelta::from_std(missing).unwrap_or_default();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the limit, and whole points are what is asked"
        )]
        let remaining = self.points as u32;
        BudgetView {
            remaining,
            limit: self.limit,
            full_at: self.closed_until.map_or(full_at, |at| at.max(full_at)),
        }
    }

    /// How much longer no call may be made. A time too far ahead means that the clock was set back.
    fn closed_for(&self, now: DateTime<Utc>) -> Option<Duration> {
        let left = (self.closed_until? - now).to_std().ok()?;
        (!left.is_zero() && left <= LONGEST_WAIT).then_some(left)
    }

    fn refill(&mut self, now: DateTime<Utc>) {
        let passed = (now - self.as_of).to_std().unwrap_or_default();
        self.points = (self.points + passed.as_secs_f64() * self.rate()).min(f64::from(self.limit));
        self.as_of = now;
    }

    /// Points a second.
    fn rate(&self) -> f64 {
        f64::from(self.limit) / REFILL_SECONDS
    }

    /// Points kept back for the other processes, and for the answers on their way; never the whole bucket.
    fn reserve(&self) -> f64 {
        let limit = f64::from(self.limit);
        (limit * RESERVE).max(2.0).min(limit - 1.0)
    }
}
