//! The kill switch: many different messages in a row that are to be dead-lettered for the same failure are hardly to blame,
//! whether it is permanent or their retries are exhausted.
//!
//! Without it a build with a fault, or a table that is not as it should be, would empty a whole queue into the dead
//! letters. Messages that cannot be read do not count: they are the sender's fault, and must not stop a worker.

use std::time::Duration;

/// How long the stage pauses first, and how much longer each time it fails again, up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Counts.
#[derive(Debug)]
pub(super) struct Breaker {
    /// So many in a row trip it; zero never does.
    limit: u32,
    code: Option<&'static str>,
    in_a_row: u32,
    /// How often in a row it has tripped.
    tripped: u32,
}

impl Breaker {
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, code: None, in_a_row: 0, tripped: 0 }
    }

    /// A message was handled: whatever failed others is their own.
    pub(super) fn handled(&mut self) {
        *self = Self::new(self.limit);
    }

    /// A message is about to be dead-lettered with this code. If it is one too many, how long to pause instead; once
    /// tripped, each further failure with the same code trips it again.
    pub(super) fn failed(&mut self, code: &'static str) -> Option<Duration> {
        if self.code == Some(code) {
            self.in_a_row = self.in_a_row.saturating_add(1);
        } else {
            (self.code, self.in_a_row, self.tripped) = (Some(code), 1, 0);
        }
        if self.limit == 0 || self.in_a_row < self.limit {
            return None;
        }
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.tripped)).min(LONGEST_PAUSE);
        self.tripped = self.tripped.saturating_add(1);
        Some(pause)
    }

    /// How many failures in a row trip it.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_failure_many_times_in_a_row_trips_it() {
        let mut breaker = Breaker::new(3);
        let codes = ["a", "a", "b", "b"];
        assert!(codes.iter().all(|code| breaker.failed(code).is_none()));
        breaker.handled();
        assert_eq!((breaker.failed("b"), breaker.failed("b")), (None, None), "a success begins anew");
        let pauses = [breaker.failed("b"), breaker.failed("b"), breaker.failed("b")];
        assert_eq!(pauses, [5, 10, 20].map(|seconds| Some(Duration::from_secs(seconds))));
        assert_eq!(breaker.failed("a"), None);
        let mut never = Breaker::new(0);
        assert!((0..1_000).all(|_| never.failed("a").is_none()));
    }
}
