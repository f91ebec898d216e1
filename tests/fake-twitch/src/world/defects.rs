//! Which streams of a world are told wrongly.

use serde::Serialize;

use super::World;
use crate::fault::Defect;

/// A defect and the stream that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Injected {
    /// What is wrong.
    pub defect: Defect,
    /// The stream's true id.
    pub stream_id: String,
    /// The stream's place in [`World::streams`]: on plain paging by 100, page `number / 100 + 1`.
    pub number: usize,
}

impl World {
    /// Every defect there is and where.
    pub fn injected(&self) -> Vec<Injected> {
        let named = |(number, defect): (usize, Defect)| {
            let stream_id = self.streams().get(number)?.id.clone();
            Some(Injected { defect, stream_id, number })
        };
        self.defects.all().into_iter().filter_map(named).collect()
    }

    /// Spreads `each` records of every one of these defects evenly over the streams with at least `min_viewers`.
    pub fn spread(&self, defects: &[Defect], each: usize, min_viewers: u64) {
        let audience = self.streams().partition_point(|stream| stream.viewer_count >= min_viewers);
        let places: Vec<usize> = (0..audience).filter(|&n| !self.streams()[n].is_test_record()).collect();
        let wanted = defects.len() * each;
        for (n, defect) in defects.iter().cycle().take(wanted.min(places.len())).enumerate() {
            self.defects.inject(places[(2 * n + 1) * places.len() / (2 * wanted.max(1))], *defect);
        }
    }
}
