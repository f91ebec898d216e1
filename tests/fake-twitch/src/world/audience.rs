//! Who watches how much: a power law from about 100,000 viewers down to the cut, and a flat tail below it.

use super::rng::{Rng, float, whole};

/// The audience from which on streams are counted.
pub(crate) const CUT: u64 = 10;
const TOP: f64 = 100_000.0;

/// Viewers of `streams` streams at the cut or above, then of `tail` streams below it, in falling order.
pub(crate) fn audiences(streams: usize, tail: usize, rng: &mut Rng) -> Vec<u64> {
    let slope = if streams > 1 { (TOP / 10.0).ln() / float(streams).ln() } else { 1.0 };
    let mut all: Vec<u64> = (1..=streams)
        .map(|rank| {
            let jitter = 0.92 + 0.16 * rng.unit();
            whole(TOP * float(rank).powf(-slope) * jitter).max(CUT)
        })
        .collect();
    all.extend((0..tail).map(|rank| {
        let left = 1.0 - float(rank) / float(tail);
        // Squared: small audiences are the common ones, and the last ones are nobody at all.
        whole(9.0 * left * left).min(CUT - 1)
    }));
    all.sort_unstable_by(|a, b| b.cmp(a));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_asked_number_has_an_audience() {
        for (streams, tail) in [(0, 5), (1, 0), (7, 300), (15_000, 300)] {
            let all = audiences(streams, tail, &mut Rng::new(3, 0));
            assert_eq!(all.len(), streams + tail);
            assert_eq!(all.iter().filter(|&&viewers| viewers >= CUT).count(), streams);
            assert!(all.is_sorted_by(|a, b| a >= b));
        }
    }

    #[test]
    fn ranks_have_the_measured_audience() {
        let all = audiences(15_000, 300, &mut Rng::new(1, 0));
        assert!((90_000..=110_000).contains(&all[0]));
        assert!((45..=126).contains(&all[2_500]), "{}", all[2_500]);
        assert!((20..=53).contains(&all[5_000]), "{}", all[5_000]);
        assert_eq!(all.last(), Some(&0));
    }
}
