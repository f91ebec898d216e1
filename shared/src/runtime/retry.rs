//! Growing delays with jitter, for what a process itself waits for. The only user of the crate `backoff`.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff};

/// Delays that grow from a fifth of a second to `longest`, each off by up to half so that replicas do not march in step.
#[derive(Debug)]
pub(super) struct Delays(ExponentialBackoff);

impl Delays {
    pub(super) fn up_to(longest: Duration) -> Self {
        Self(
            ExponentialBackoffBuilder::new()
                .with_initial_interval(Duration::from_millis(200))
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
