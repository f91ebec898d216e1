//! Figures of several runs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::sample::Sample;

/// The median of several runs, and the least and the most.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

/// Figures by name.
pub(crate) type Figures = BTreeMap<&'static str, Figure>;

/// The figures of these runs.
pub(crate) fn of(samples: &[Sample]) -> Figures {
    let names = samples.first().into_iter().flat_map(BTreeMap::keys);
    names.map(|name| (*name, Figure::of(samples.iter().map(|sample| sample[name]).collect()))).collect()
}

impl Figure {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let Some((&least, &most)) = values.first().zip(values.last()) else { return Self::default() };
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Self { median, least, most }
    }

    /// How far apart least and most are, in hundredths of the median.
    pub(crate) fn spread(self) -> f64 {
        if self.median > 0.0 { 100.0 * (self.most - self.least) / self.median } else { 0.0 }
    }
}
