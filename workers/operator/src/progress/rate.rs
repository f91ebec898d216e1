//! The speed of a pull over the last seconds.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use shared::store::PullReport;

/// The time it covers: long enough to be steady, short enough to show a change.
const WINDOW: TimeDelta = TimeDelta::seconds(15);
/// The shortest time that gives a rate.
const LEAST: TimeDelta = TimeDelta::milliseconds(900);

/// The progress of the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Rate(VecDeque<Sample>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: DateTime<Utc>,
    records: i64,
    merged: i64,
}

impl Rate {
    /// Records the progress of the pull now.
    pub(crate) fn record(&mut self, pull: &PullReport, now: DateTime<Utc>) {
        while self.0.front().is_some_and(|sample| now - sample.at > WINDOW) {
            self.0.pop_front();
        }
        if pull.fetched == 0 {
            // Waiting for the first page says nothing about the rate.
            self.0.clear();
        }
        self.0.push_back(Sample { at: now, records: pull.fetched.into(), merged: pull.merged_chunks });
    }

    /// Records fetched per second; none if too little was seen, or nothing moves.
    pub(crate) fn records_per_second(&self) -> Option<i64> {
        let (first, last, span) = self.span()?;
        let rate = (last.records - first.records) * 1000 / span.num_milliseconds();
        (rate > 0).then_some(rate)
    }

    /// The time until every chunk is merged; none until their number is known.
    pub(crate) fn time_left(&self, pull: &PullReport) -> Option<TimeDelta> {
        pull.extracted_at?;
        let (first, last, span) = self.span()?;
        let merged = last.merged - first.merged;
        let left = i64::from(pull.chunks) - last.merged;
        (merged > 0 && left > 0).then(|| TimeDelta::milliseconds(span.num_milliseconds() * left / merged))
    }

    fn span(&self) -> Option<(Sample, Sample, TimeDelta)> {
        let (first, last) = (*self.0.front()?, *self.0.back()?);
        let span = last.at - first.at;
        (span >= LEAST).then_some((first, last, span))
    }
}

/// A pull that was polled twice, with so many records and merged chunks in between.
#[cfg(test)]
pub(super) fn polled_twice(after: TimeDelta, records: i32, merged: i64) -> (PullReport, Rate) {
    let (mut pull, mut rate) = (crate::sample::under_way(), Rate::default());
    rate.record(&pull, crate::sample::now());
    pull.fetched += records;
    pull.merged_chunks += merged;
    rate.record(&pull, crate::sample::now() + after);
    (pull, rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn two_polls_give_a_rate_and_the_time_left() {
        assert_eq!(polled_twice(TimeDelta::zero(), 0, 0).1.records_per_second(), None, "nothing moved");
        let (mut pull, mut rate) = polled_twice(TimeDelta::seconds(2), 1_000, 20);
        assert_eq!(rate.records_per_second(), Some(500));
        assert_eq!(rate.time_left(&pull), None, "the number of chunks is not known yet");
        let start = sample::now();
        pull.extracted_at = Some(start);
        pull.chunks = 260;
        pull.merged_chunks = 60;
        rate.record(&pull, start + TimeDelta::seconds(4));
        assert_eq!(rate.time_left(&pull), Some(TimeDelta::seconds(20)), "40 in 4 s, 200 to go");
        rate.record(&pull, start + TimeDelta::seconds(40));
        assert_eq!(rate.records_per_second(), None, "old polls no longer count");
    }
}
