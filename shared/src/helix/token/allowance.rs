//! How often we ask for a token that replaces one Twitch gave us: a few times at once, then once a minute.
//!
//! Tokens may die early, and several may in a row; but a Twitch that refuses each token it gives must not be begged for
//! another with every call.

use chrono::{DateTime, TimeDelta, Utc};

/// Tokens that may be had at once.
const BURST: i32 = 3;
/// After which one more may be had.
const REFILL: TimeDelta = TimeDelta::seconds(60);

/// What is left, as a bucket that fills up again.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    /// When the bucket is full again; in the past if it is.
    full_at: Option<DateTime<Utc>>,
}

impl Allowance {
    /// Whether another token may be asked for.
    pub(super) fn is_left(&self, now: DateTime<Utc>) -> bool {
        self.full_at.is_none_or(|full| full - now <= REFILL * (BURST - 1))
    }

    /// A token was had.
    pub(super) fn spend(&mut self, now: DateTime<Utc>) {
        self.full_at = Some(self.full_at.map_or(now, |full| full.max(now)) + REFILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_at_once_and_then_one_a_minute() {
        let at = |second: i64| DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap();
        let mut allowance = Allowance::default();
        let mut had = Vec::new();
        for second in 0_i64..200 {
            while allowance.is_left(at(second)) {
                allowance.spend(at(second));
                had.push(second);
            }
        }
        assert_eq!(had, [0, 0, 0, 60, 120, 180]);
    }
}
