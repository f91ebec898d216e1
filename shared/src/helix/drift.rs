//! Fields of an item that are decoration: where one is not what Twitch documents, it is kept empty and counted.
//!
//! Fields change their type or vanish without notice (github.com/twitchdev/issues/issues/84). A game is a game as long as
//! it has an id and a name.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, Datelike, Utc};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tracing::warn;

use super::text;
use crate::metrics;

/// A field as it came, unread; none where it is missing or null.
pub(super) type Raw<'a> = Option<&'a RawValue>;

/// Most characters of a value that are shown in the log.
const SHOWN: usize = 60;

/// What was told already: once a process is enough, the metric counts the rest.
static TOLD: Mutex<BTreeSet<(&str, &str)>> = Mutex::new(BTreeSet::new());

/// The endpoint whose items are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoration(pub(super) &'static str);

impl Decoration {
    /// A text; empty where there is none.
    pub(super) fn text(self, field: &'static str, raw: Raw<'_>) -> String {
        self.read(field, raw).map(text::without_nul).unwrap_or_default()
    }

    /// A text that is never empty: `instead` where there is none.
    pub(super) fn text_or(self, field: &'static str, raw: Raw<'_>, instead: &str) -> String {
        match self.read::<String>(field, raw) {
            Some(text) if !text.is_empty() => text::without_nul(text),
            Some(_) => {
                self.drifted(field, "\"\"");
                instead.to_owned()
            }
            None => instead.to_owned(),
        }
    }

    /// A time that PostgreSQL can hold.
    pub(super) fn time(self, field: &'static str, raw: Raw<'_>) -> Option<DateTime<Utc>> {
        let time: DateTime<Utc> = self.read(field, raw)?;
        if (1970..10_000).contains(&time.year()) {
            return Some(time);
        }
        self.drifted(field, raw.map_or("", RawValue::get));
        None
    }

    fn read<T: DeserializeOwned>(self, field: &'static str, raw: Raw<'_>) -> Option<T> {
        let found = raw.map_or("null", RawValue::get);
        let value = serde_json::from_str(found).ok();
        if value.is_none() {
            self.drifted(field, found);
        }
        value
    }

    fn drifted(self, field: &'static str, found: &str) {
        metrics::drifted(self.0, field);
        if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert((self.0, field)) {
            let found: String = found.chars().take(SHOWN).collect();
            warn!(
                helix.endpoint = self.0,
                helix.field = field,
                "an item of /{} has {found} as its {field}: kept empty, and from now on only counted",
                self.0
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn what_is_not_as_documented_is_empty() {
        let read = Decoration("users");
        for odd in ["7", "null", "{}", r#""\ud800""#, "[\"a\"]", "1e999"] {
            assert_eq!(read.text("description", Some(&raw(odd))), "", "{odd}");
            assert_eq!(read.text_or("display_name", Some(&raw(odd)), "ada"), "ada", "{odd}");
            assert_eq!(read.time("created_at", Some(&raw(odd))), None, "{odd}");
        }
        assert_eq!(read.text("description", None), "");
        assert_eq!(read.text_or("display_name", Some(&raw(r#""""#)), "ada"), "ada");
        for odd in [r#""""#, r#""yesterday""#, r#""0000-01-01T00:00:00Z""#] {
            assert_eq!(read.time("created_at", Some(&raw(odd))), None, "{odd}");
        }
        assert_eq!(read.text("description", Some(&raw(r#""a\u0000b""#))), "a\u{FFFD}b");
        let time = read.time("created_at", Some(&raw(r#""2019-09-06T13:04:27.123456Z""#)));
        assert_eq!(time.unwrap().timestamp_subsec_micros(), 123_456);
    }
}
