//! What a comparison comes to.

use super::{candidate::Candidate, figures::Figures, load::Load};

/// What one load came to: by candidate, its first and its second pull.
pub(super) struct Comparison {
    pub(super) load: Load,
    /// Pages of a hundred that the stored streams fill: what a chunk is for every candidate.
    pub(super) chunks: usize,
    /// Calls that cannot be spared, in the first and in the second pull.
    pub(super) least_calls: [usize; 2],
    pub(super) pulls: Vec<(Candidate, [Figures; 2])>,
}
