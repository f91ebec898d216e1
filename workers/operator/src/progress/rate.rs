//! How fast a pull goes, by what the last seconds brought.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use shared::store::PullReport;

/// How far back it looks: long enough to be calm, short enough to notice a change.
const WINDOW: TimeDelta = TimeDelta::seconds(15);
/// The shortest time a rate may be told from.
const LEAST: TimeDelta = TimeDelta::milliseconds(900);

/// Remembers the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Pace(VecDeque<Sample>);

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: DateTime<Utc>,
    records: i64,
    merged: i64,
}

impl Pace {
    /// Takes note of how far the pull is now.
    pub(crate) fn note(&mut self, pull: &PullReport, now: DateTime<Utc>) {
        while self.0.front().is_some_and(|sample| now - sample.at > WINDOW) {
            self.0.pop_front();
        }
        if pull.fetched == 0 {
            // Waiting for the first page says nothing about the pace.
            self.0.clear();
        }
        self.0.push_back(Sample { at: now, records: pull.fetched.into(), merged: pull.merged_chunks });
    }

    /// Records fetched in a second; none while too little was seen, or nothing moves.
    pub(crate) fn records_per_second(&self) -> Option<i64> {
        let (first, last, span) = self.span()?;
        let rate = (last.records - first.records) * 1000 / span.num_milliseconds();
        (rate > 0).then_some(rate)
    }

    /// The time until every chunk is merged, once their number is known.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;

    #[test]
    fn a_rate_and_what_is_left_come_of_two_looks() {
        let start = sample::now();
        let mut pull = sample::under_way();
        let mut pace = Pace::default();
        pace.note(&pull, start);
        assert_eq!(pace.records_per_second(), None, "one look is no rate");
        pull.fetched += 1_000;
        pull.merged_chunks += 20;
        pace.note(&pull, start + TimeDelta::seconds(2));
        assert_eq!(pace.records_per_second(), Some(500));
        assert_eq!(pace.time_left(&pull), None, "nobody knows yet how many chunks there will be");
        pull.extracted_at = Some(start);
        pull.chunks = 260;
        pull.merged_chunks = 60;
        pace.note(&pull, start + TimeDelta::seconds(4));
        assert_eq!(pace.time_left(&pull), Some(TimeDelta::seconds(20)), "40 in 4 s, 200 to go");
        pace.note(&pull, start + TimeDelta::seconds(40));
        assert_eq!(pace.records_per_second(), None, "what was seen long ago counts no more");
    }
}
