//! Why bytes that are those of an id or a name are something else.

use crate::scrub::{is_about_no_channel, is_identity};

/// Fewest digits of an id that can be told from a number.
const TELLING_DIGITS: usize = 6;
/// Fewest characters that are a hash, and no number.
const HASH: usize = 16;
/// How columns of numbers end that count or measure, or number what is ours; Twitch's ids are kept as texts.
const NUMBERS: [&str; 23] = [
    "count",
    "counts",
    "viewers",
    "bytes",
    "rows",
    "size",
    "seconds",
    "millis",
    "micros",
    "ms",
    "id",
    // As `dead_letter`, and the column `letters` of migration 5.
    "letter",
    "letters",
    "points",
    "timestamp",
    "calls",
    "pages",
    "streams",
    "records",
    "fetched",
    "stored",
    "tokens",
    "version",
];
/// Whose id it is, in the name of a column or member.
const OF_CHANNELS: [&str; 4] = ["channel", "user", "broadcaster", "streamer"];

/// What a value is, other than a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A text, a document, bytes, or anything else.
    Text,
    /// A number.
    Number,
    /// A time.
    Time,
    /// One of a few words that the schema names.
    Word,
}

impl Holds {
    /// By the category of a type of PostgreSQL.
    pub(crate) fn of(category: &str) -> Self {
        match category {
            "N" => Self::Number,
            "D" | "T" => Self::Time,
            _ => Self::Text,
        }
    }
}

/// Where a needle was found in a value.
#[derive(Clone, Copy)]
pub(super) struct Hit<'a> {
    /// The column or member.
    pub(super) name: &'a str,
    pub(super) holds: Holds,
    /// The value in lower case.
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) needle: &'a str,
}

impl Hit<'_> {
    /// Why this is not the channel; none where nothing speaks against it.
    pub(super) fn explanation(self, is_id: bool, own_only: bool) -> Option<&'static str> {
        let member = self.member();
        let name = member.map_or(self.name, |(name, _)| name);
        if self.holds == Holds::Word {
            return Some("one of the words that the schema allows there");
        }
        if own_only && ["title", "tags", "description"].contains(&name) {
            return Some("what others wrote, left with --own-only");
        }
        let is_number = member.map_or(self.holds == Holds::Number, |(_, is_number)| is_number);
        if is_id { self.no_id(name, is_number) } else { self.no_name(name) }
    }

    fn no_id(self, name: &str, is_number: bool) -> Option<&'static str> {
        let (before, after) = (self.before(), self.after());
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let of_channel = OF_CHANNELS.iter().any(|whose| name.contains(whose));
        let whole = self.is_whole();
        if is_digit(before.chars().next_back()) || is_digit(after.chars().next()) {
            return Some("digits within a longer number");
        }
        if self.holds == Holds::Time || ends_a_second(before) {
            return Some("part of a time");
        }
        if self.is_in_hash() {
            return Some("part of a hash");
        }
        if ["game_id", "game_ids", "igdb_id"].contains(&name) {
            return Some("the id of a game");
        }
        if is_number && !of_channel && NUMBERS.iter().any(|end| name.ends_with(end)) {
            return Some("a number that counts something else");
        }
        (self.needle.len() < TELLING_DIGITS && !(whole && of_channel))
            .then_some("an id of so few digits cannot be told from a number")
    }

    fn no_name(self, name: &str) -> Option<&'static str> {
        let (before, after) = (self.before(), self.after());
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        // Twitch puts a login into the addresses of its pictures.
        let goes_on = is_word(before.chars().next_back()) && !before.ends_with("live_user_");
        if self.needle.is_ascii() && (goes_on || is_word(after.chars().next())) {
            return Some("within a longer word");
        }
        let is_whole =
            [before.chars().next_back(), after.chars().next()].iter().all(|c| matches!(c, None | Some('"')));
        if is_identity(name) && !is_whole {
            return Some("within the name of another channel");
        }
        if before.ends_with('"') && after.trim_start_matches('"').trim_start().starts_with(':') {
            return Some("the name of a member");
        }
        if is_about_no_channel(name) || self.is_in_game() {
            return Some("where words of programs, games or people who run commands are");
        }
        None
    }

    fn before(&self) -> &str {
        &self.text[..self.at]
    }

    fn after(&self) -> &str {
        &self.text[self.at + self.needle.len()..]
    }

    /// Whether the value, or the member's, is nothing else.
    fn is_whole(&self) -> bool {
        let (before, after) = (self.before(), self.after());
        (before.is_empty() || before.ends_with(['"', ' ', ':', '[']))
            && (after.is_empty() || after.starts_with(['"', ',', '}', ']']))
    }

    /// The member of the document that the hit is in the value of, if it is in one, and whether that is a number.
    fn member(&self) -> Option<(&str, bool)> {
        let colon = self.before().rfind("\":")?;
        let (name, value) = (&self.before()[..colon], &self.before()[colon + 2..]);
        // Another value began in between, unless it is of the same list.
        let same =
            !value.contains(['{', '}']) && value.matches('"').count() % 2 == usize::from(value.contains('"'));
        let name = same.then(|| name.rsplit('"').next()).flatten()?;
        Some((name, !value.contains('"')))
    }

    /// Whether it is in the object of a game within a document.
    fn is_in_game(&self) -> bool {
        let begin = self.before().rfind('{').unwrap_or_default();
        self.before()[..begin].trim_end().ends_with("\"game\":")
    }

    fn is_in_hash(&self) -> bool {
        let is_hash = |c: &char| c.is_ascii_hexdigit() || *c == '-';
        let left = self.before().chars().rev().take_while(is_hash);
        let right = self.after().chars().take_while(is_hash);
        let around: Vec<char> = left.chain(right).collect();
        around.len() + self.needle.len() >= HASH && around.iter().any(char::is_ascii_alphabetic)
    }
}

/// Whether a time stands there up to its point: `12:34:56.`.
fn ends_a_second(before: &str) -> bool {
    before.strip_suffix('.').is_some_and(|time| {
        let tail: Vec<char> = time.chars().rev().take(3).collect();
        matches!(tail[..], [a, b, ':'] if a.is_ascii_digit() && b.is_ascii_digit())
    })
}
