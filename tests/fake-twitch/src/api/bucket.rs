//! The point bucket of a client id: every app token of it drinks from this one.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket that refills steadily. What the headers say of its size and how it really refills may differ, as they
/// did at Twitch in 2022 (twitchdev/issues#597).
#[derive(Debug)]
pub(crate) struct Bucket {
    size: u32,
    per_minute: u32,
    points: f64,
    seen: Instant,
}

impl Bucket {
    pub(crate) fn new(size: u32, per_minute: u32) -> Self {
        Self { size, per_minute, points: f64::from(size), seen: Instant::now() }
    }

    /// Takes a point, if there is one.
    pub(crate) fn take(&mut self) -> bool {
        self.refill();
        let enough = self.points >= 1.0;
        if enough {
            self.points -= 1.0;
        }
        enough
    }

    pub(crate) fn drain(&mut self) {
        self.refill();
        self.points = 0.0;
    }

    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Whole points left.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a u32")]
    pub(crate) fn remaining(&mut self) -> u32 {
        self.refill();
        self.points as u32
    }

    /// How long until the bucket is full, as the headers tell it: by its size, not by its true refill.
    pub(crate) fn until_full(&mut self) -> Duration {
        self.refill();
        let missing = f64::from(self.size) - self.points;
        Duration::from_secs_f64((missing * 60.0 / f64::from(self.size.max(1))).max(0.0))
    }

    fn refill(&mut self) {
        let now = Instant::now();
        let flow = f64::from(self.per_minute) / 60.0 * now.duration_since(self.seen).as_secs_f64();
        self.points = (self.points + flow).min(f64::from(self.size));
        self.seen = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn points_flow_back_steadily() {
        let mut bucket = Bucket::new(800, 600);
        assert!((0..800).all(|_| bucket.take()));
        assert!(!bucket.take());
        assert_eq!(bucket.until_full(), Duration::from_mins(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(bucket.remaining(), 10, "600 a minute, whatever the size says");
        tokio::time::advance(Duration::from_mins(10)).await;
        assert_eq!((bucket.remaining(), bucket.until_full()), (800, Duration::ZERO));
    }
}
