//! The shape of Twitch's records: which fields are not as documented, and in how many records of a pull.
//!
//! Fields appear, vanish and change their type without notice (github.com/twitchdev/issues/issues/84). What validation makes of
//! that is its own business: here it is only counted, sound or not.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Most odd shapes that are counted in a pull; of a field with arbitrary names there would be no end.
const MOST_ODD: usize = 64;
/// Longest name of a field, and longest sample, in characters.
const LONGEST_NAME: usize = 64;
const LONGEST_SAMPLE: usize = 120;
/// What fewer records have is chance, however small the pull.
const FEWEST_RECORDS: u32 = 3;

/// The type of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JsonType {
    /// The field is not there.
    Missing,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonType {
    /// The name in tables and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

/// The fields that are documented, and the types that they have; `tag_ids` is deprecated.
/// <https://dev.twitch.tv/docs/api/reference/#get-streams>
const DOCUMENTED: [(&str, &[JsonType]); 15] = [
    ("id", &[JsonType::String]),
    ("user_id", &[JsonType::String]),
    ("user_login", &[JsonType::String]),
    ("user_name", &[JsonType::String]),
    ("game_id", &[JsonType::String]),
    ("game_name", &[JsonType::String]),
    ("type", &[JsonType::String]),
    ("title", &[JsonType::String]),
    ("viewer_count", &[JsonType::Number]),
    ("started_at", &[JsonType::String]),
    ("language", &[JsonType::String]),
    ("thumbnail_url", &[JsonType::String]),
    ("tag_ids", &[JsonType::Array, JsonType::Null, JsonType::Missing]),
    ("tags", &[JsonType::Array, JsonType::Null]),
    ("is_mature", &[JsonType::Boolean]),
];

/// What was seen of the records of a pull.
#[derive(Debug, Default)]
pub struct Shapes {
    records: u32,
    odd: BTreeMap<(String, JsonType), (u32, String)>,
}

/// A field that is not as documented in a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddShape {
    /// The field.
    pub field: String,
    /// The type of its values.
    pub kind: JsonType,
    /// In how many records.
    pub records: u32,
    /// Of how many.
    pub of_records: u32,
    /// One of those records, cut short.
    pub sample: String,
}

impl Shapes {
    /// Counts a record. What is no JSON object has no shape.
    pub fn observe(&mut self, raw: &RawValue) {
        let Ok(Fields(seen)) = serde_json::from_str::<Fields<'_>>(raw.get()) else { return };
        self.records += 1;
        let mut there = [false; DOCUMENTED.len()];
        for (field, kind) in seen {
            match DOCUMENTED.iter().position(|(name, _)| *name == field) {
                Some(at) => {
                    there[at] = true;
                    if !DOCUMENTED[at].1.contains(&kind) {
                        self.count(&field, kind, raw);
                    }
                }
                None => self.count(&field, kind, raw),
            }
        }
        for ((field, kinds), there) in DOCUMENTED.iter().zip(there) {
            if !there && !kinds.contains(&JsonType::Missing) {
                self.count(field, JsonType::Missing, raw);
            }
        }
    }

    /// What at least 1 % of the records have, and is not as documented.
    pub fn drifted(&self) -> Vec<OddShape> {
        let drifted = self
            .odd
            .iter()
            .filter(|(_, (count, _))| *count >= FEWEST_RECORDS.max(self.records.div_ceil(100)));
        drifted
            .map(|((field, kind), (records, sample))| OddShape {
                field: field.clone(),
                kind: *kind,
                records: *records,
                of_records: self.records,
                sample: sample.clone(),
            })
            .collect()
    }

    fn count(&mut self, field: &str, kind: JsonType, raw: &RawValue) {
        let field: String =
            field.chars().take(LONGEST_NAME).map(|c| if c == '\0' { '\u{FFFD}' } else { c }).collect();
        let room = self.odd.len() < MOST_ODD;
        let sample = || sample(raw.get(), &field);
        if let Some((count, _)) = self.odd.get_mut(&(field.clone(), kind)) {
            *count += 1;
        } else if room {
            let sample = sample();
            self.odd.insert((field, kind), (1, sample));
        }
    }
}

/// The part of a record from this field on; of one that is missing, its beginning.
fn sample(raw: &str, field: &str) -> String {
    let at = raw.find(&format!("\"{field}\"")).unwrap_or_default();
    raw[at..].chars().take(LONGEST_SAMPLE).collect()
}

/// The fields of a record and their types, in its order.
struct Fields<'a>(Vec<(Cow<'a, str>, JsonType)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Record;

        impl<'de> Visitor<'de> for Record {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(DOCUMENTED.len() + 1);
                while let Some(Name(name)) = map.next_key()? {
                    fields.push((name, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Record)
    }
}

/// A field's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for JsonType {
    /// Reads a value for its type alone.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;

        impl<'de> Visitor<'de> for Value {
            type Value = JsonType;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E>(self) -> Result<JsonType, E> {
                Ok(JsonType::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<JsonType, E> {
                Ok(JsonType::Boolean)
            }

            fn visit_i64<E>(self, _: i64) -> Result<JsonType, E> {
                Ok(JsonType::Number)
            }

            fn visit_u64<E>(self, _: u64) -> Result<JsonType, E> {
                Ok(JsonType::Number)
            }

            fn visit_f64<E>(self, _: f64) -> Result<JsonType, E> {
                Ok(JsonType::Number)
            }

            fn visit_str<E>(self, _: &str) -> Result<JsonType, E> {
                Ok(JsonType::String)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<JsonType, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(JsonType::Array)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonType, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(JsonType::Object)
            }
        }

        deserializer.deserialize_any(Value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn good() -> Value {
        json!({"id":"40000000001","user_id":"123","user_login":"ada","user_name":"Ada","game_id":"","game_name":"",
            "type":"live","title":"a\\\"b","viewer_count":10,"started_at":"2026-11-23T00:00:00Z","language":"en",
            "thumbnail_url":"u","tag_ids":[],"tags":["a"],"is_mature":false})
    }

    /// What has drifted when so many of a thousand records are made other than documented.
    fn drifted(odd: usize, change: impl Fn(&mut Value)) -> Vec<(String, &'static str, u32)> {
        let mut shapes = Shapes::default();
        for n in 0..1_000 {
            let mut record = good();
            if n < odd {
                change(&mut record);
            }
            shapes.observe(&RawValue::from_string(record.to_string()).unwrap());
        }
        shapes.drifted().into_iter().map(|odd| (odd.field, odd.kind.as_str(), odd.records)).collect()
    }

    #[test]
    fn what_one_in_a_hundred_records_has_is_drift() {
        assert_eq!(drifted(0, |_| ()), []);
        assert_eq!(drifted(9, |record| record["mood"] = json!("fine")), []);
        assert_eq!(drifted(10, |record| record["mood"] = json!("fine")), [("mood".into(), "string", 10)]);
        assert_eq!(
            drifted(10, |record| record["viewer_count"] = json!("1")),
            [("viewer_count".into(), "string", 10)]
        );
        assert_eq!(drifted(10, |record| record["title"] = json!(null)), [("title".into(), "null", 10)]);
        let vanished = |record: &mut Value| drop(record.as_object_mut().unwrap().remove("language"));
        assert_eq!(drifted(10, vanished), [("language".into(), "missing", 10)]);
    }

    #[test]
    fn what_is_documented_is_none() {
        let also = [
            ("tags", json!(null)),
            ("tag_ids", json!(null)),
            ("title", json!("\u{1F600}")),
            ("viewer_count", json!(0)),
        ];
        for (field, value) in also {
            assert_eq!(drifted(1_000, |record| record[field] = value.clone()), []);
        }
        let mut shapes = Shapes::default();
        for raw in ["[]", "null", "7"] {
            shapes.observe(&RawValue::from_string(raw.to_owned()).unwrap());
        }
        assert_eq!(shapes.drifted(), []);
    }
}
