//! The schedule of retries.

use std::time::Duration;

/// The delays of the retry rungs, shortest first. A message climbs one rung with each failed attempt, and is
/// dead-lettered when it fails after the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryDelays(Vec<Duration>);

impl Default for RetryDelays {
    fn default() -> Self {
        Self([1, 5, 15, 60, 300].map(Duration::from_secs).to_vec())
    }
}

/// A list of delays that cannot be a schedule.
#[derive(Debug, thiserror::Error)]
#[error("{0}: write delays from the shortest to the longest, such as 1s,5s,15s,1m,5m, each from 1ms to 1day")]
pub struct InvalidDelays(String);

impl std::str::FromStr for RetryDelays {
    type Err = InvalidDelays;

    fn from_str(text: &str) -> Result<Self, InvalidDelays> {
        let delays: Vec<Duration> = text
            .split(',')
            .map(|delay| {
                humantime::parse_duration(delay.trim()).map_err(|error| InvalidDelays(error.to_string()))
            })
            .collect::<Result<_, _>>()?;
        let bounds = Duration::from_millis(1)..=Duration::from_hours(24);
        if delays.iter().all(|delay| bounds.contains(delay)) && delays.is_sorted_by(|a, b| a < b) {
            Ok(Self(delays))
        } else {
            Err(InvalidDelays(format!("{text:?} is not a rising list of delays")))
        }
    }
}

impl RetryDelays {
    /// The delay after the given number of failed attempts, from 1; none when they are spent.
    pub fn after(&self, failed_attempts: u32) -> Option<Duration> {
        let rung = usize::try_from(failed_attempts.checked_sub(1)?).ok()?;
        self.0.get(rung).copied()
    }

    /// Whether a message that failed `failed_attempts` times will be tried once more, and then never again.
    pub fn is_last(&self, failed_attempts: u32) -> bool {
        usize::try_from(failed_attempts).is_ok_and(|attempts| attempts == self.0.len())
    }

    /// All delays, shortest first.
    pub fn iter(&self) -> impl Iterator<Item = Duration> {
        self.0.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_rise_and_end() {
        let delays: RetryDelays = "1s, 5s,1m".parse().unwrap();
        assert_eq!(delays.after(1), Some(Duration::from_secs(1)));
        assert_eq!(delays.after(3), Some(Duration::from_mins(1)));
        assert_eq!(delays.after(4), None);
        assert!(delays.is_last(3) && !delays.is_last(2));
        for bad in ["", "5s,1s", "1s,1s", "0s", "2days", "soon"] {
            assert!(bad.parse::<RetryDelays>().is_err(), "{bad:?}");
        }
    }
}
