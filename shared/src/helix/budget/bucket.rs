//! The bucket of a client id, as a pure state machine over the time it is told.
//!
//! Processes draw leases from it: points that are theirs for a moment. A lease is taken off at once, so the reckoning has
//! never more than Twitch has, whoever dies with one. The bucket is refilled in thought, steadily; an answer that shows
//! fewer points than reckoned is believed. When there are none left, calls get theirs in turn: what a pull under way needs
//! may take points that are still to come, a new page only those that are there.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::reading::{LONGEST_WAIT, Reading};
use crate::budget_store::Bucket;

/// Longest time a call is held back for its point; what takes longer is the caller's to wait for.
pub(super) const LONGEST_HOLD: Duration = Duration::from_secs(2);
/// Points of a full bucket, until an answer tells: Twitch's usual number.
const USUAL_LIMIT: u32 = 800;
/// An empty bucket is full again after this many seconds.
const REFILL_SECONDS: f64 = 60.0;
/// Most of the points that one lease takes, so that the others find some too.
const LARGEST_SHARE: f64 = 1.0 / 16.0;
/// As many seconds' points are never used: a call may reach Twitch a little sooner than the one before it did.
const JITTER: f64 = 0.1;
/// Answers that found as many seconds' points missing within a minute tell of others who draw from the bucket, or of one
/// that fills up more slowly than it says ([twitchdev/issues#597](https://github.com/twitchdev/issues/issues/597)).
const DOUBT: f64 = 1.0;
/// Then this share of a full bucket is kept back.
const RESERVE: f64 = 0.05;

/// Whose turn it is when points are scarce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::helix) enum Priority {
    /// What a pull under way needs.
    Need,
    /// A new page, which makes new needs.
    Page,
}

/// What a process asks of the bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) priority: Priority,
    /// Calls that wait for their point.
    pub(super) waiting: u32,
    /// As many points as it would have used soon.
    pub(super) welcome: u32,
    /// Points of a lease before that were not used.
    pub(super) unused: u32,
    /// Until when Twitch refuses calls, where it has just said so.
    pub(super) closed_until: Option<DateTime<Utc>>,
}

/// What is asked, and what else there is to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub(super) asked: Asked,
    /// Points left to programs that know nothing of this bucket.
    pub(super) reserved: u32,
    /// What the latest answer said, and when.
    pub(super) reading: Option<(Reading, DateTime<Utc>)>,
}

/// What a process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    /// Use so many points.
    Now(u32),
    /// Use one point, after this time.
    Later(Duration),
    /// Ask again after this time.
    None(Duration),
}

impl Bucket {
    /// A bucket taken to be full.
    pub(super) fn full(now: DateTime<Utc>) -> Self {
        Self { points: f64::from(USUAL_LIMIT), as_of: now, limit: None, missing: 0.0, closed_until: None }
    }

    /// Learns what there is to learn, and grants what can be granted.
    pub(super) fn draw(&mut self, draw: &Draw, now: DateTime<Utc>) -> Grant {
        let Draw { asked, reserved, reading } = draw;
        self.refill(now);
        self.points = (self.points + f64::from(asked.unused)).min(self.size());
        if let Some((reading, at)) = reading {
            self.learn(reading, *at, now);
        }
        self.closed_until = self.closed_until.max(asked.closed_until);
        if let Some(wait) = self.closed_for(now) {
            return Grant::None(wait);
        }
        let there = self.points - self.kept_back(*reserved);
        if there >= 1.0 {
            let share = if self.limit.is_some() { there * LARGEST_SHARE } else { 0.0 };
            let granted = f64::from(asked.welcome).min(share).max(asked.waiting.into()).min(there).floor();
            self.points -= granted;
            return Grant::Now(whole(granted));
        }
        let wait = Duration::from_secs_f64((1.0 - there) / self.rate());
        if asked.priority == Priority::Page || wait > LONGEST_HOLD {
            return Grant::None(wait.max(Duration::from_millis(1)));
        }
        self.points -= 1.0;
        Grant::Later(wait)
    }

    /// Lets points flow back, and what was found missing be forgotten, up to now. A time long after now means that a clock
    /// was set back.
    pub(super) fn refill(&mut self, now: DateTime<Utc>) {
        let ahead = (self.as_of - now).to_std().unwrap_or_default();
        let passed = (now - self.as_of).to_std().unwrap_or_default().as_secs_f64();
        // Before Twitch has told how fast they flow back, they do so minute by minute.
        if self.limit.is_none() && passed < REFILL_SECONDS && ahead <= LONGEST_WAIT {
            return;
        }
        self.points = (self.points + passed * self.rate()).min(self.size());
        self.missing *= (-passed / REFILL_SECONDS).exp();
        if ahead.is_zero() || ahead > LONGEST_WAIT {
            self.as_of = now;
        }
    }

    /// Corrects the reckoning by an answer. Upward only when the bucket has another size than thought: an answer is older
    /// than the leases made since, and what it misses comes back by refilling.
    pub(super) fn learn(&mut self, reading: &Reading, at: DateTime<Utc>, now: DateTime<Utc>) {
        if let Some(limit) = reading.limit.filter(|limit| Some(*limit) != self.limit) {
            let spent = self.size() - self.points;
            self.points = match (self.limit, reading.remaining) {
                (Some(_), Some(remaining)) => remaining.min(limit).into(),
                _ => (f64::from(limit) - spent).max(0.0),
            };
            (self.limit, self.as_of) = (Some(limit), now);
        }
        let Some(remaining) = reading.remaining else { return };
        let passed = (now - at).to_std().unwrap_or_default().as_secs_f64();
        // It tells whole points: there may have been almost one more.
        let most = f64::from(remaining) + 1.0 + passed * self.rate();
        if self.points > most {
            self.missing += self.points - most;
            self.points = most;
        }
    }

    /// How much longer no call may be made. A time too far ahead means that the clock was set back.
    pub(super) fn closed_for(&self, now: DateTime<Utc>) -> Option<Duration> {
        let left = (self.closed_until? - now).to_std().ok()?;
        (!left.is_zero() && left <= LONGEST_WAIT).then_some(left)
    }

    /// Points of a full bucket.
    pub(super) fn size(&self) -> f64 {
        self.limit.unwrap_or(USUAL_LIMIT).into()
    }

    /// Points a second.
    pub(super) fn rate(&self) -> f64 {
        self.size() / REFILL_SECONDS
    }

    /// Points that are not to be used; never the whole bucket.
    fn kept_back(&self, reserved: u32) -> f64 {
        let doubtful = self.missing > 1.0 + DOUBT * self.rate();
        let reserve = if doubtful { (self.size() * RESERVE).max(2.0) } else { 0.0 };
        (f64::from(reserved) + reserve + JITTER * self.rate()).min(self.size() - 1.0)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole points, between 0 and a limit that is a u32"
)]
pub(super) fn whole(points: f64) -> u32 {
    points as u32
}
