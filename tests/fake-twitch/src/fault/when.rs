//! Which of an endpoint's calls a fault strikes.

use serde::{Deserialize, Serialize};

use crate::world::rng::{mix, unit};

/// Which calls are struck. Calls are counted from 1 for each fault, from when it is laid, and only those the effect
/// could strike: an effect on cursors does not count calls without one.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// All of them.
    #[default]
    Always,
    /// The n-th alone.
    Call(u64),
    /// Every k-th.
    Every(u64),
    /// The next n, then none.
    Next(u64),
    /// Each with this probability, decided by the world's seed.
    Chance(f64),
}

impl When {
    pub(super) fn strikes(self, call: u64, salt: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Call(n) => call == n,
            Self::Every(k) => k > 0 && call.is_multiple_of(k),
            Self::Next(n) => call <= n,
            Self::Chance(share) => unit(mix(salt, call)) < share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_picks_its_calls() {
        let picked = |when: When| (1..=6).filter(|&call| when.strikes(call, 1)).collect::<Vec<_>>();
        assert_eq!(picked(When::Always), [1, 2, 3, 4, 5, 6]);
        assert_eq!(picked(When::Call(3)), [3]);
        assert_eq!(picked(When::Every(2)), [2, 4, 6]);
        assert_eq!(picked(When::Every(0)), [0; 0]);
        assert_eq!(picked(When::Next(2)), [1, 2]);
    }

    #[test]
    fn chance_is_decided_by_the_seed() {
        let struck = |salt| (0..10_000).filter(|&call| When::Chance(0.1).strikes(call, salt)).count();
        assert_eq!(struck(5), struck(5));
        assert!((800..=1_200).contains(&struck(5)), "{}", struck(5));
    }
}
