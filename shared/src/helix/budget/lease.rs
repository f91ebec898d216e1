//! The points that a process has drawn from the bucket, and may use for a moment.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How long a lease may be used. What is left of it then goes back.
pub(super) const LEASE: Duration = Duration::from_secs(1);

/// Points of a process.
#[derive(Debug, Default)]
pub(super) struct Lease {
    left: u32,
    /// How many there were.
    size: u32,
    since: Option<DateTime<Utc>>,
}

impl Lease {
    pub(super) fn new(points: u32, now: DateTime<Utc>) -> Self {
        Self { left: points, size: points, since: Some(now) }
    }

    /// Takes a point, if there is one.
    pub(super) fn take(&mut self, now: DateTime<Utc>) -> bool {
        let there = self.left > 0 && self.holds(now);
        self.left -= u32::from(there);
        there
    }

    /// Points that can be used.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// Takes what is left.
    pub(super) fn give_back(&mut self) -> u32 {
        std::mem::take(&mut self.left)
    }

    /// Takes what is left, if its time is up.
    pub(super) fn expired(&mut self, now: DateTime<Utc>) -> u32 {
        if self.holds(now) { 0 } else { self.give_back() }
    }

    /// An answer has shown that there are no more points than these.
    pub(super) fn at_most(&mut self, points: u32) {
        self.left = self.left.min(points);
    }

    /// How many points the next lease may have: twice as many where these were used up in time, none ahead where not.
    pub(super) fn welcome(&self, now: DateTime<Utc>) -> u32 {
        if self.left == 0 && self.holds(now) { self.size.saturating_mul(2) } else { 0 }
    }

    /// Whether its time is not up. A beginning after now means that the clock was set back.
    fn holds(&self, now: DateTime<Utc>) -> bool {
        let lease = TimeDelta::from_std(LEASE).unwrap_or_default();
        self.since.is_some_and(|since| since <= now && now - since < lease)
    }
}
