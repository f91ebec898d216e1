//! Who is live right now, in the order of the list, and who comes next below or above a score.
//!
//! Eight bytes a stream: its score, and in it its number.

use std::collections::BTreeSet;

/// More than any world has streams; a score's fraction is in this many parts.
const PARTS: u64 = 1_000_000;

/// More viewers than any stream has.
const MOST: u64 = 9_000_000_000;

/// A place in the list: the viewers, and a fraction that no two streams share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Score(u64);

impl Score {
    fn new(stream: usize, viewers: u64) -> Self {
        Self(viewers * PARTS + (PARTS - 1 - stream as u64))
    }

    /// Above every stream.
    pub(crate) const TOP: Self = Self(MOST * PARTS);

    pub(crate) fn viewers(self) -> u64 {
        self.0 / PARTS
    }

    /// The number of the stream that has this score.
    pub(crate) fn stream(self) -> usize {
        usize::try_from(PARTS - 1 - self.0 % PARTS).unwrap_or_default()
    }

    /// A number that only depends on the place, for chance that repeats itself.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// The same stream with at most so many viewers.
    pub(crate) fn seen_at(self, viewers: u64) -> Self {
        Self::new(self.stream(), self.viewers().min(viewers))
    }

    /// As it is written in a cursor: the viewers and six places.
    pub(crate) fn text(self) -> String {
        format!("{}.{:06}", self.viewers(), self.0 % PARTS)
    }

    /// Reads what [`Score::text`] wrote.
    pub(crate) fn of_number(number: f64) -> Option<Self> {
        let finite = number.is_finite() && (0.0..=9e9).contains(&number);
        finite.then(|| Self(super::rng::whole(number * 1e6)))
    }
}

/// The streams that are live, by score.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live(BTreeSet<Score>);

impl Live {
    pub(crate) fn new(viewers: impl Iterator<Item = u64>) -> Self {
        Self(viewers.enumerate().map(|(stream, viewers)| Score::new(stream, viewers)).collect())
    }

    /// From just below the score downwards.
    pub(crate) fn below(&self, score: Score) -> impl Iterator<Item = Score> {
        self.0.range(..score).rev().copied()
    }

    /// From just above the score upwards.
    pub(crate) fn above(&self, score: Score) -> impl Iterator<Item = Score> {
        self.0.range((std::ops::Bound::Excluded(score), std::ops::Bound::Unbounded)).copied()
    }

    /// The whole list, the largest audience first.
    pub(crate) fn all(&self) -> impl Iterator<Item = Score> {
        self.0.iter().rev().copied()
    }

    pub(crate) fn has(&self, score: Score) -> bool {
        self.0.contains(&score)
    }

    /// The stream goes offline.
    pub(crate) fn end(&mut self, score: Score) {
        self.0.remove(&score);
    }

    /// The stream's audience changes.
    pub(crate) fn move_to(&mut self, score: Score, viewers: u64) -> Score {
        self.0.remove(&score);
        let moved = Score::new(score.stream(), viewers);
        self.0.insert(moved);
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_survives_being_written() {
        for (stream, viewers) in [(0, 0), (0, 100_000), (999_998, 7), (119_999, 12)] {
            let score = Score::new(stream, viewers);
            assert_eq!((score.stream(), score.viewers()), (stream, viewers));
            assert_eq!(Score::of_number(score.text().parse().unwrap()), Some(score));
        }
    }

    #[test]
    fn the_list_falls_and_goes_both_ways() {
        let mut live = Live::new([50, 50, 20, 0].into_iter());
        let order: Vec<usize> = live.all().map(Score::stream).collect();
        assert_eq!(order, [0, 1, 2, 3]);
        let second = live.all().nth(1).unwrap();
        assert_eq!(live.below(second).map(Score::stream).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(live.above(second).map(Score::stream).collect::<Vec<_>>(), [0]);
        live.move_to(second, 1);
        assert_eq!(live.all().map(Score::stream).collect::<Vec<_>>(), [0, 2, 1, 3]);
    }
}
