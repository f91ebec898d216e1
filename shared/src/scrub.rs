//! Takes a channel out of texts and documents.
//!
//! A record or document *of* the channel keeps what is counted (viewers, game, language, times) under pseudonyms; a text that
//! only *mentions* it loses the mention. Names match as whole words, whatever their case; the id matches between other
//! characters than digits, and in prose only where it has six digits or more: a shorter one cannot be told from a number. Names
//! of games, and the words that programs use among themselves, are left alone, though a channel may be called like one.

use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What stands where something was.
const ERASED: &str = "erased";
/// Fewest digits of an id that can be told from a number in prose.
const TELLING_DIGITS: usize = 6;

/// Members and columns that never hold what people wrote: words of programs, names of games, people who run commands.
const NOT_ABOUT_CHANNELS: [&str; 39] = [
    "app_id",
    "box_art_url",
    "broadcaster_type",
    "build",
    "by",
    "class",
    "code",
    "content_type",
    "cursor",
    "event",
    "extractor",
    "fingerprint",
    "from_stage",
    "game_id",
    "game_ids",
    "game_name",
    "games_missing",
    "holder",
    "host",
    "id",
    "igdb_id",
    "key",
    "kind",
    "language",
    "letter",
    "message_id",
    "next_cursor",
    "outcome",
    "queue",
    "replica",
    "requested_by",
    "rule",
    "stage",
    "state",
    "status",
    "stop_reason",
    "stream_id",
    "traceparent",
    "type",
];
/// Members and columns that hold the name of one channel, and match as a whole only: another's name may contain it.
const IDENTITIES: [&str; 7] =
    ["user_login", "user_name", "login", "display_name", "channel_login", "channel_name", "name"];
/// What people write freely; left as it is where only the channel's own data is to be erased.
const AUTHORED: [&str; 3] = ["title", "tags", "description"];
/// Members and columns that hold the id of a channel.
const IDS: [&str; 5] = ["user_id", "channel_id", "broadcaster_id", "channel_ids", "channel"];

/// Knows a channel by its id and its names, and what to put in their place. As JSON, another program goes on with the same
/// pseudonyms; whoever writes it down has to forget it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Scrubber {
    id: String,
    names: Vec<String>,
    mentions: bool,
    /// The pseudonyms' key. Thrown away with this: whoever has only a pseudonym cannot find out whose it is.
    key: [u8; 32],
}

impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrubber").finish_non_exhaustive()
    }
}

/// What a column of a row of the channel itself becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// A pseudonym of what it was.
    Pseudonym,
    /// This text.
    Text(&'static str),
    /// An empty list.
    Empty,
}

/// What becomes of a column in a row of the channel itself; none for what is kept.
pub fn own_column(name: &str) -> Option<Own> {
    Some(match name {
        "channel_id" | "user_id" | "broadcaster_id" | "stream_id" => Own::Pseudonym,
        "channel_login" | "channel_name" | "login" | "display_name" | "user_login" | "user_name" => {
            Own::Text(ERASED)
        }
        "title" | "description" | "thumbnail_url" | "profile_image_url" | "offline_image_url" => {
            Own::Text("")
        }
        "tags" => Own::Empty,
        _ => return None,
    })
}

impl Scrubber {
    /// For the channel of this id and these names. Without `mentions`, what others wrote about it stays.
    pub fn new(id: &str, names: impl IntoIterator<Item = String>, mentions: bool) -> Option<Self> {
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).ok()?;
        Some(Self { id: id.to_owned(), names: Vec::new(), mentions, key }.also(names))
    }

    /// The same, for these names too.
    #[must_use]
    pub fn also(mut self, names: impl IntoIterator<Item = String>) -> Self {
        let names = names.into_iter().map(|name| name.to_lowercase());
        self.names.extend(names.filter(|name| !name.is_empty() && name != ERASED));
        // The longest first: one may contain another.
        self.names.sort_by_key(|name| (std::cmp::Reverse(name.len()), name.clone()));
        self.names.dedup();
        self
    }

    /// Whether a text holds the id or a name at all. Most hold none, and need no closer look.
    pub fn may_name(&self, text: &str) -> bool {
        let lower: String = if text.is_ascii() {
            text.to_ascii_lowercase()
        } else {
            text.chars().flat_map(char::to_lowercase).collect()
        };
        lower.contains(&self.id) || self.names.iter().any(|name| lower.contains(name.as_str()))
    }

    /// Whether this is the channel's id.
    pub fn is_id(&self, id: &str) -> bool {
        self.id == id
    }

    /// What to look for: whatever holds none of these, in any case, has nothing of the channel.
    pub fn needles(&self) -> Vec<String> {
        self.names.iter().cloned().chain([self.id.clone()]).collect()
    }

    /// A number of 18 digits that is no id of Twitch, the same for the same `original`.
    pub fn pseudonym(&self, original: &str) -> String {
        const RANGE: u64 = 100_000_000_000_000_000;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        let tag = hmac::sign(&key, original.as_bytes());
        let eight: [u8; 8] = std::array::from_fn(|at| tag.as_ref()[at]);
        (9 * RANGE + u64::from_be_bytes(eight) % RANGE).to_string()
    }

    /// The text of a column or member named `key` without the channel; none where it has nothing of it.
    pub fn text(&self, key: &str, text: &str) -> Option<String> {
        let key = key.strip_prefix("flow-").unwrap_or(key);
        if NOT_ABOUT_CHANNELS.contains(&key) || (!self.mentions && AUTHORED.contains(&key)) {
            return None;
        }
        if IDS.contains(&key) {
            return (text == self.id).then(|| self.pseudonym(text));
        }
        if IDENTITIES.contains(&key) {
            return self.names.contains(&text.to_lowercase()).then(|| ERASED.to_owned());
        }
        if text.starts_with(['{', '['])
            && let Ok(mut value) = serde_json::from_str::<Value>(text)
        {
            return self.json(key, &mut value).then(|| value.to_string());
        }
        self.prose(text)
    }

    /// Takes the channel out of a document that is in a column or member named `key`. Whether there was anything.
    pub fn json(&self, key: &str, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.text(key, text) {
                Some(scrubbed) => {
                    *text = scrubbed;
                    true
                }
                None => false,
            },
            // It is not to be asked for again.
            Value::Array(values) if key == "channel_ids" => {
                let before = values.len();
                values.retain(|value| *value != self.id.as_str());
                values.len() < before
            }
            // Counted, so that none is passed over.
            Value::Array(values) => {
                values.iter_mut().filter_map(|v| self.json(key, v).then_some(())).count() > 0
            }
            Value::Object(members) => {
                let own = self.is_own(key, members);
                let changed = members.iter_mut().filter_map(|(name, value)| {
                    let written = if own { self.own_member(key, name, value) } else { None };
                    written.unwrap_or_else(|| self.json(name, value)).then_some(())
                });
                changed.count() > 0 || own
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// The body of a message without the channel; none where it has nothing of it.
    pub fn body(&self, body: &[u8]) -> Option<Vec<u8>> {
        self.text("body", &String::from_utf8_lossy(body)).map(String::into_bytes)
    }

    /// Whether an object is a record or a document of the channel, or the channel itself.
    fn is_own(&self, key: &str, members: &Map<String, Value>) -> bool {
        let is = |name: &str| members.get(name).and_then(Value::as_str).is_some_and(|id| id == self.id);
        let called = |name: &str| {
            members
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(|login| self.names.contains(&login.to_lowercase()))
        };
        is("user_id")
            || is("channel_id")
            || is("broadcaster_id")
            || called("user_login")
            || (key == "channel" && (is("id") || called("login")))
    }

    /// A member of such an object; none for what is kept, and looked through like any other.
    fn own_member(&self, key: &str, name: &str, value: &mut Value) -> Option<bool> {
        *value = match (own_column(name), name, &*value) {
            (Some(Own::Pseudonym), _, Value::String(text)) | (None, "id", Value::String(text)) => {
                self.pseudonym(text).into()
            }
            (Some(Own::Text(text)), _, _) => text.into(),
            (Some(Own::Empty), _, _) => Value::Array(Vec::new()),
            // They would tell the channel from all others.
            (None, "view_count", _) => 0.into(),
            (None, "created_at", _) if key == "channel" => Value::Null,
            _ => return None,
        };
        Some(true)
    }

    fn prose(&self, text: &str) -> Option<String> {
        let mut scrubbed = text.to_owned();
        for name in &self.names {
            // Twitch puts a login into the addresses of its pictures.
            let pictures = format!("live_user_{name}");
            scrubbed = replace(&scrubbed, &pictures, |_, _| true);
            let is_ascii = name.is_ascii();
            scrubbed =
                replace(&scrubbed, name, |before, after| !is_ascii || !(is_word(before) || is_word(after)));
        }
        if self.id.len() >= TELLING_DIGITS {
            let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            scrubbed = replace(&scrubbed, &self.id, |before, after| !is_digit(before) && !is_digit(after));
        }
        (scrubbed != text).then_some(scrubbed)
    }
}

fn is_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Replaces each `name`, in any case, whose neighbours are right.
fn replace(text: &str, name: &str, fits: impl Fn(Option<char>, Option<char>) -> bool) -> String {
    let mut scrubbed = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = None;
    while let Some(first) = rest.chars().next() {
        let taken = length_of(rest, name).filter(|length| fits(before, rest[*length..].chars().next()));
        if let Some(length) = taken {
            scrubbed.push_str(ERASED);
            before = rest[..length].chars().next_back();
            rest = &rest[length..];
        } else {
            scrubbed.push(first);
            before = Some(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    scrubbed
}

/// How many bytes of `text` are `name` in lower case, if it begins so.
fn length_of(text: &str, name: &str) -> Option<usize> {
    let mut wanted = name.chars();
    let mut length = 0;
    let mut chars = text.chars();
    loop {
        if wanted.as_str().is_empty() {
            return Some(length);
        }
        let c = chars.next()?;
        for lower in c.to_lowercase() {
            if wanted.next() != Some(lower) {
                return None;
            }
        }
        length += c.len_utf8();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scrubber() -> Scrubber {
        Scrubber::new("123456789", ["Some_Body".into(), "加藤純一".into()], true).unwrap()
    }

    #[test]
    fn a_mention_is_a_whole_word_in_any_case() {
        let cases = [
            ("with SOME_BODY!", Some("with erased!")),
            ("some_bodyguard, xsome_body", None),
            ("今日は加藤純一です some_body", Some("今日はerasedです erased")),
            (
                "Twitch rejected /users?id=123456789&id=1234567890",
                Some("Twitch rejected /users?id=erased&id=1234567890"),
            ),
            (
                "https://x/live_user_some_body-{width}x{height}.jpg",
                Some("https://x/erased-{width}x{height}.jpg"),
            ),
            ("nothing", None),
        ];
        for (text, scrubbed) in cases {
            assert_eq!(scrubber().text("message", text).as_deref(), scrubbed, "{text}");
        }
        let short = Scrubber::new("42", [], true).unwrap();
        assert_eq!(short.text("message", "42 messages"), None);
        assert_eq!(short.text("game_id", "42"), None);
        assert!(short.text("channel_id", "42").is_some());
    }

    #[test]
    fn words_of_programs_and_names_of_others_stay() {
        let finalizer = Scrubber::new("123456789", ["finalizer".into()], true).unwrap();
        for key in ["stage", "flow-stage", "game_name", "type"] {
            assert_eq!(finalizer.text(key, "finalizer"), None, "{key}");
        }
        assert_eq!(finalizer.text("channel_name", "The Finalizer"), None);
        assert_eq!(finalizer.text("channel_name", "Finalizer").as_deref(), Some("erased"));
        let own_only = Scrubber::new("123456789", ["finalizer".into()], false).unwrap();
        assert_eq!(own_only.text("title", "with finalizer"), None);
    }

    #[test]
    fn a_record_of_the_channel_keeps_what_is_counted() {
        let scrubber = scrubber();
        let record = json!({"id": "55", "user_id": "123456789", "user_login": "some_body", "user_name": "Some_Body",
            "title": "hello", "tags": ["a"], "viewer_count": 7, "game_id": "123456789", "language": "en",
            "thumbnail_url": "x", "channel": {"id": "123456789", "login": "some_body", "view_count": 9, "created_at": "t"}});
        let mut page = json!([record, {"user_id": "1", "title": "with some_body"}]);
        assert!(scrubber.json("page", &mut page));
        let own = &page[0];
        assert_eq!(
            (&own["viewer_count"], &own["game_id"], &own["language"]),
            (&json!(7), &json!("123456789"), &json!("en"))
        );
        assert_eq!(own["user_id"], own["channel"]["id"], "one pseudonym");
        assert_ne!(own["user_id"], own["id"]);
        assert_eq!(
            (&own["title"], &own["tags"], &own["user_login"]),
            (&json!(""), &json!([]), &json!("erased"))
        );
        assert_eq!(page[1]["title"], "with erased");
        assert!(!scrubber.json("page", &mut page), "nothing is left");
        // In a text within a document, as rejected records are kept.
        let mut rejects = json!([{"raw": record.to_string(), "rule": "title"}]);
        assert!(scrubber.json("rejects", &mut rejects));
        assert!(!rejects.to_string().contains("some_body"), "{rejects}");
        let mut ids = json!(["1", "123456789"]);
        assert!(scrubber.json("channel_ids", &mut ids));
        assert_eq!(ids, json!(["1"]));
    }
}
