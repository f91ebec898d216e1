//! Takes a channel out of texts and documents.
//!
//! A record or document *of* the channel keeps what is counted (viewers, game, language, times) under pseudonyms; a text that
//! only *mentions* it loses the mention. Names match as whole words, whatever their case; the id matches between other
//! characters than digits, and in prose only where it has six digits or more: a shorter one cannot be told from a number. Names
//! of games, and the words that programs use among themselves, are left alone, though a channel may be called like one.

mod member;

use std::collections::BTreeSet;

use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::member::{AUTHORED, ERASED, IDENTITIES, IDS, NOT_ABOUT_CHANNELS};
pub use self::member::{Own, is_about_no_channel, is_identity, own_column};

/// Fewest digits of an id that can be told from a number in prose.
const TELLING_DIGITS: usize = 6;

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

    /// The channel's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The channel's names, in lower case.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether what others wrote about it is taken out as well.
    pub fn takes_mentions(&self) -> bool {
        self.mentions
    }

    /// The same, and what others wrote about it as well if `mentions` says so.
    #[must_use]
    pub fn with_mentions(self, mentions: bool) -> Self {
        Self { mentions: self.mentions || mentions, ..self }
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
            // A channel may be called like it.
            Value::Object(_) if key == "game" => false,
            Value::Object(members) => {
                let own = self.is_own(key, members);
                let changed = members.iter_mut().filter_map(|(name, value)| {
                    let written = if own { self.own_member(key, name, value) } else { None };
                    written.unwrap_or_else(|| self.json(name, value)).then_some(())
                });
                changed.count() > 0 || own
            }
            Value::Number(number) if IDS.contains(&key) && number.to_string() == self.id => {
                *value = self.pseudonym(&self.id).into();
                true
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
            scrubbed = replace(&scrubbed, &pictures, |_, after| !is_word(after));
            let is_ascii = name.is_ascii();
            scrubbed =
                replace(&scrubbed, name, |before, after| !is_ascii || !(is_word(before) || is_word(after)));
            for spelling in spellings(name) {
                scrubbed = replace(&scrubbed, &spelling, |_, _| true);
            }
        }
        if self.id.len() >= TELLING_DIGITS {
            let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            scrubbed = replace(&scrubbed, &self.id, |before, after| !is_digit(before) && !is_digit(after));
        }
        (scrubbed != text).then_some(scrubbed)
    }
}

/// How a name is written in addresses and in quoted JSON, in lower case; none where it is the name itself.
fn spellings(name: &str) -> BTreeSet<String> {
    let percent =
        |c: char| c.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let unicode = |c: char| {
        c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat()
    };
    let spell = |name: &str, escape: &dyn Fn(char) -> String| -> String {
        name.chars()
            .map(|c| if c.is_ascii() { c.to_ascii_lowercase().to_string() } else { escape(c) })
            .collect()
    };
    let upper = name.to_uppercase();
    let mut all: BTreeSet<String> =
        [name, &upper].into_iter().flat_map(|name| [spell(name, &percent), spell(name, &unicode)]).collect();
    all.remove(name);
    all
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
mod tests;
