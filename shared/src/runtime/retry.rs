//! Growing delays with jitter, for what a process itself waits for. The only user of the crate `backoff`.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff};

/// How far from the delay of its rung a message may be tried again.
const SPREAD: f64 = 0.05;

/// A delay within a tenth below `rung`, so that what failed together does not come back as one wave.
pub(super) fn jittered(rung: Duration) -> Duration {
    let mut delays = ExponentialBackoff {
        current_interval: rung.mul_f64(1.0 - SPREAD),
        randomization_factor: SPREAD,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    };
    delays.next_backoff().unwrap_or(rung).min(rung)
}

/// Delays that grow from the shortest to the longest, each off by up to half so that replicas do not march in step.
#[derive(Debug)]
pub(super) struct Delays(ExponentialBackoff);

impl Delays {
    pub(super) fn between(shortest: Duration, longest: Duration) -> Self {
        Self(
            ExponentialBackoffBuilder::new()
                .with_initial_interval(shortest)
                .with_randomization_factor(0.5)
                .with_multiplier(2.0)
                .with_max_interval(longest)
                .with_max_elapsed_time(None)
                .build(),
        )
    }

    /// The next delay.
    pub(super) fn next(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(self.0.max_interval)
    }

    /// Begins again with the shortest.
    pub(super) fn reset(&mut self) {
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_within_a_tenth_below_its_rung() {
        for rung in ["1s", "5s", "15s", "1m", "5m"] {
            let rung = humantime::parse_duration(rung).unwrap();
            let delays: Vec<_> = (0..200).map(|_| jittered(rung)).collect();
            assert!(delays.iter().all(|delay| *delay <= rung && *delay >= rung.mul_f64(0.9)), "{delays:?}");
            assert!(delays.iter().max() > delays.iter().min(), "they differ");
        }
    }
}
