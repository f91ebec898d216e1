//! Two pulls in the form of the NiFi flow, compared stream by stream and column by column.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::Value;

/// Columns that the two flows fill differently by design, and why. They are not compared.
pub(crate) const NOT_COMPARED: [(&str, &str); 3] = [
    ("channel.updated_at", "time of processing"),
    ("channel.created_at", "the NiFi flow wrote the time of processing"),
    ("channel.mature", "the NiFi flow always wrote false"),
];

/// How many streams are named per kind of difference.
const EXAMPLES: usize = 3;

/// What counts as a difference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Streams with fewer viewers are rejected here, so they are missing for a reason.
    pub(crate) min_viewers: i64,
    /// By how many per cent viewers may differ: two pulls are never made in the same second.
    pub(crate) viewers_within: f64,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Comparison {
    /// Streams on both sides.
    pub(crate) both: usize,
    /// Streams that only the NiFi flow has, though they should be here.
    pub(crate) only_legacy: Vec<String>,
    /// Streams that only we have.
    pub(crate) only_ours: Vec<String>,
    /// Streams that only the NiFi flow has because we rejected them, or because they have too few viewers.
    pub(crate) rejected_here: usize,
    /// Streams that the NiFi flow has several times.
    pub(crate) duplicates: Vec<String>,
    /// Pages of the NiFi flow that are no documents.
    pub(crate) unreadable_pages: usize,
    /// Columns that differ.
    pub(crate) columns: BTreeMap<String, Difference>,
}

/// A column that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// In how many streams.
    pub(crate) streams: usize,
    /// Some of them: stream, what the NiFi flow has, what we have; null also stands for a key that is not there.
    pub(crate) examples: Vec<(String, Value, Value)>,
}

impl Comparison {
    /// Whether the two say the same.
    pub(crate) fn is_same(&self) -> bool {
        self.only_legacy.is_empty()
            && self.only_ours.is_empty()
            && self.duplicates.is_empty()
            && self.unreadable_pages == 0
            && self.columns.is_empty()
    }
}

/// Compares the pages of one pull; `rejected` are ids of streams whose records we rejected.
pub(crate) fn compare(
    legacy: &[String],
    ours: &[String],
    rejected: &HashSet<String>,
    rules: Rules,
) -> Comparison {
    let (legacy, ours) = (Streams::read(legacy), Streams::read(ours));
    let mut found = Comparison {
        duplicates: legacy.duplicates,
        unreadable_pages: legacy.unreadable,
        ..Comparison::default()
    };
    for (id, columns) in &legacy.by_id {
        if let Some(our) = ours.by_id.get(id) {
            found.both += 1;
            found.note_columns(id, columns, our, rules);
        } else if rejected.contains(id) || viewers(columns).is_some_and(|viewers| viewers < rules.min_viewers)
        {
            found.rejected_here += 1;
        } else {
            found.only_legacy.push(id.clone());
        }
    }
    found.only_ours = ours.by_id.into_keys().filter(|id| !legacy.by_id.contains_key(id)).collect();
    found
}

impl Comparison {
    fn note_columns(&mut self, id: &str, legacy: &Columns, ours: &Columns, rules: Rules) {
        let names: HashSet<&String> = legacy.keys().chain(ours.keys()).collect();
        for name in names {
            if NOT_COMPARED.iter().any(|(column, _)| column == name) {
                continue;
            }
            let (old, new) = (legacy.get(name), ours.get(name));
            let near = name == "viewers"
                && old.and_then(Value::as_f64).zip(new.and_then(Value::as_f64)).is_some_and(|(old, new)| {
                    (old - new).abs() * 100.0 <= rules.viewers_within * old.max(new)
                });
            if old == new || near {
                continue;
            }
            let empty = || Difference { streams: 0, examples: Vec::new() };
            let difference = self.columns.entry(name.clone()).or_insert_with(empty);
            difference.streams += 1;
            if difference.examples.len() < EXAMPLES {
                let value = |value: Option<&Value>| value.cloned().unwrap_or_default();
                difference.examples.push((id.to_owned(), value(old), value(new)));
            }
        }
    }
}

/// A stream's values by dotted name.
type Columns = BTreeMap<String, Value>;

fn viewers(columns: &Columns) -> Option<i64> {
    columns.get("viewers")?.as_i64()
}

/// The streams of a pull.
#[derive(Default)]
struct Streams {
    by_id: BTreeMap<String, Columns>,
    duplicates: Vec<String>,
    unreadable: usize,
}

impl Streams {
    fn read(pages: &[String]) -> Self {
        let mut streams = Self::default();
        for page in pages {
            let page: Value = serde_json::from_str(page).unwrap_or_default();
            let Some(list) = page.get("streams").and_then(Value::as_array) else {
                streams.unreadable += 1;
                continue;
            };
            for stream in list {
                let mut columns = Columns::new();
                flatten("", stream, &mut columns);
                let id = columns.get("_id").map(ToString::to_string).unwrap_or_default();
                if streams.by_id.insert(id.clone(), columns).is_some() {
                    streams.duplicates.push(id);
                }
            }
        }
        streams
    }
}

fn flatten(prefix: &str, value: &Value, columns: &mut Columns) {
    let Value::Object(members) = value else {
        columns.insert(prefix.to_owned(), value.clone());
        return;
    };
    for (name, value) in members {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        flatten(&name, value, columns);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXACT: Rules = Rules { min_viewers: 10, viewers_within: 0.0 };

    fn page(streams: &[Value]) -> String {
        json!({"_total": streams.len(), "streams": streams}).to_string()
    }

    #[test]
    fn each_kind_of_difference_is_told_apart() {
        let stream = |id: i64, viewers: i64, status: &str| json!({"_id": id, "viewers": viewers, "channel": {"_id": id, "status": status, "mature": id == 1}});
        let ours = [page(&[stream(1, 100, "a"), stream(2, 50, "b"), stream(3, 40, "c")])];
        let mut mature = stream(1, 100, "a");
        mature["channel"]["mature"] = json!(false);
        let same = [page(&[mature, stream(2, 50, "b"), stream(3, 40, "c")])];
        assert!(compare(&same, &ours, &HashSet::new(), EXACT).is_same());

        let legacy = [
            page(&[stream(1, 100, "a"), stream(1, 100, "a"), stream(2, 55, "x, user_id=7")]),
            page(&[stream(4, 9, "few"), stream(5, 90, "rejected"), stream(6, 90, "lost")]),
            "{\"_total\": 1, \"streams\": [{\"title\": \"\"\"}".to_owned(),
        ];
        let found = compare(&legacy, &ours, &HashSet::from(["5".to_owned()]), EXACT);
        assert_eq!((found.both, found.rejected_here, found.unreadable_pages), (2, 2, 1));
        assert_eq!((found.only_legacy, found.only_ours), (vec!["6".to_owned()], vec!["3".to_owned()]));
        assert_eq!(found.duplicates, ["1"]);
        let names: Vec<_> = found.columns.keys().collect();
        assert_eq!(names, ["channel.status", "viewers"]);
        let near = compare(&legacy, &ours, &HashSet::new(), Rules { viewers_within: 10.0, ..EXACT });
        assert!(!near.columns.contains_key("viewers"));
    }
}
