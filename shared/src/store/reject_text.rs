//! Column `pull_chunk.rejects`: rejected records, as text.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::schema::Rejected;

/// Rejected records as they were, from the text they are kept as.
pub(super) fn rejects(text: Option<&str>) -> Vec<Rejected> {
    let kept: Vec<Kept<'_>> = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    kept.into_iter().filter_map(Kept::into_rejected).collect()
}

/// A rejected record as it is stored. Its JSON is a text within the JSON, because PostgreSQL cannot read around what made
/// some of them bad: half a surrogate pair, or U+0000.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    place: i32,
    rule: Cow<'a, str>,
    detail: Cow<'a, str>,
    raw: Cow<'a, str>,
}

impl<'a> Kept<'a> {
    fn of(rejected: &'a Rejected) -> Self {
        let Rejected { place, rule, detail, raw } = rejected;
        Self { place: *place, rule: rule.into(), detail: detail.into(), raw: raw.get().into() }
    }

    /// The record again, byte for byte.
    fn into_rejected(self) -> Option<Rejected> {
        let raw = RawValue::from_string(self.raw.into_owned()).ok()?;
        Some(Rejected {
            place: self.place,
            rule: self.rule.into_owned(),
            detail: self.detail.into_owned(),
            raw,
        })
    }
}

/// Rejected records as the text they are kept as; none where there are none.
pub(super) fn rejects_text(rejects: &[Rejected]) -> Option<String> {
    let kept: Vec<Kept<'_>> = rejects.iter().map(Kept::of).collect();
    (!kept.is_empty()).then(|| serde_json::to_string(&kept).unwrap_or_default())
}

/// How many of these records each rule has rejected.
pub(super) fn by_rule(rejects: &[Rejected]) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for reject in rejects {
        *counts.entry(reject.rule.clone()).or_default() += 1;
    }
    counts
}
