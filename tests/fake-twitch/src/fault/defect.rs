//! Records told wrongly: one stream's item in `/streams` that a reader must not trust.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::lock::lock;
use crate::world::stream::Stream;

/// A way in which a record is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Defect {
    /// `id` is a word.
    NonNumericId,
    /// There is no `id`.
    MissingId,
    /// `id` is empty.
    EmptyId,
    /// `user_id` is a JSON number.
    NumericUserId,
    /// There is no `user_id`.
    MissingUserId,
    /// `game_id` is a word.
    NonNumericGameId,
    /// `viewer_count` is a JSON string.
    TextViewerCount,
    /// `viewer_count` is below zero.
    NegativeViewerCount,
    /// `viewer_count` is beyond 64 bits.
    HugeViewerCount,
    /// `title` is an object.
    TitleNotText,
    /// `title` begins with an escaped U+0000.
    NulInTitle,
    /// `title` begins with half of a surrogate pair.
    LoneSurrogate,
    /// One of `tags` is a number.
    NumberAmongTags,
    /// `started_at` is no moment.
    BadStartedAt,
    /// `viewer_count` is there twice, with different values.
    DuplicateKey,
    /// The record is a string.
    NotAnObject,
    /// There is a field that is not documented; whoever reads the others can trust them.
    NewField,
    /// `user_login` is null.
    NullLogin,
}

impl Defect {
    /// All but those by which a format drifts: [`Self::NewField`] and [`Self::NullLogin`].
    pub const ALL: [Self; 16] = [
        Self::NonNumericId,
        Self::MissingId,
        Self::EmptyId,
        Self::NumericUserId,
        Self::MissingUserId,
        Self::NonNumericGameId,
        Self::TextViewerCount,
        Self::NegativeViewerCount,
        Self::HugeViewerCount,
        Self::TitleNotText,
        Self::NulInTitle,
        Self::LoneSurrogate,
        Self::NumberAmongTags,
        Self::BadStartedAt,
        Self::DuplicateKey,
        Self::NotAnObject,
    ];

    /// The stream's item with this defect, as JSON text.
    pub fn tell(self, stream: &Stream) -> String {
        let text = json!(stream).to_string();
        let set = |field: &str, value: Value| {
            let mut item = json!(stream);
            item[field] = value;
            item.to_string()
        };
        let without = |field: &str| {
            let mut item = json!(stream);
            item.as_object_mut().map(|fields| fields.remove(field));
            item.to_string()
        };
        let before_title = |what: &str| text.replacen(r#""title":""#, &format!(r#""title":"{what}"#), 1);
        match self {
            Self::NonNumericId => set("id", json!("stream-1")),
            Self::MissingId => without("id"),
            Self::EmptyId => set("id", json!("")),
            Self::NumericUserId => set("user_id", json!(stream.user_id.parse::<u64>().unwrap_or(7))),
            Self::MissingUserId => without("user_id"),
            Self::NonNumericGameId => set("game_id", json!("just-chatting")),
            Self::TextViewerCount => set("viewer_count", json!(stream.viewer_count.to_string())),
            Self::NegativeViewerCount => set("viewer_count", json!(-1)),
            Self::HugeViewerCount => set("viewer_count", json!(0)).replacen(
                r#""viewer_count":0"#,
                r#""viewer_count":99999999999999999999"#,
                1,
            ),
            Self::TitleNotText => set("title", json!({ "text": stream.title })),
            Self::NulInTitle => before_title(r"\u0000"),
            Self::LoneSurrogate => before_title(r"\ud83d"),
            Self::NumberAmongTags => set("tags", json!(["English", 18])),
            Self::BadStartedAt => set("started_at", json!("2026-02-30T25:61:00Z")),
            Self::DuplicateKey => format!(r#"{{"viewer_count":{},{}"#, stream.viewer_count + 1, &text[1..]),
            Self::NotAnObject => json!(stream.id).to_string(),
            Self::NewField => set("mood", json!("fine")),
            Self::NullLogin => set("user_login", Value::Null),
        }
    }
}

/// Which streams are told wrongly.
#[derive(Debug, Default)]
pub struct Defects(Mutex<BTreeMap<usize, Defect>>);

impl Defects {
    /// The stream at this place of [`World::streams`](crate::World::streams) is told wrongly from now on.
    pub fn inject(&self, number: usize, defect: Defect) {
        lock(&self.0).insert(number, defect);
    }

    /// Takes all of them away.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    pub(crate) fn of(&self, number: usize) -> Option<Defect> {
        lock(&self.0).get(&number).copied()
    }

    /// All of them, with the places of their streams.
    pub(crate) fn all(&self) -> Vec<(usize, Defect)> {
        lock(&self.0).iter().map(|(&number, &defect)| (number, defect)).collect()
    }
}
