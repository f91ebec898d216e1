//! The rules that reject records.

use std::fmt;

/// Why a record was rejected. The names are stable: statistics and replays go by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// Not a JSON object.
    NotAnObject,
    /// JSON that cannot be read without guessing: half a surrogate pair, a key given twice, a number out of range.
    MalformedJson,
    /// The stream id is missing, not a string, or not made of digits.
    StreamIdNotNumeric,
    /// The channel id is missing, not a string, or not made of digits.
    ChannelIdNotNumeric,
    /// The game id is neither empty nor made of digits.
    GameIdNotNumeric,
    /// The viewer count is missing, not a whole number, or negative.
    ViewerCountNotANumber,
    /// A text field is missing or not a string.
    TextNotAString,
    /// The start is not an RFC 3339 time.
    StartedAtNotATime,
    /// The tags are neither null nor a list of strings.
    TagsNotStrings,
    /// The mature flag is there and not a boolean.
    MatureNotABoolean,
    /// Fewer viewers than the least we want.
    BelowMinViewers,
}

impl Rule {
    /// The rule's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAnObject => "not-an-object",
            Self::MalformedJson => "malformed-json",
            Self::StreamIdNotNumeric => "stream-id-not-numeric",
            Self::ChannelIdNotNumeric => "channel-id-not-numeric",
            Self::GameIdNotNumeric => "game-id-not-numeric",
            Self::ViewerCountNotANumber => "viewer-count-not-a-number",
            Self::TextNotAString => "text-not-a-string",
            Self::StartedAtNotATime => "started-at-not-a-time",
            Self::TagsNotStrings => "tags-not-strings",
            Self::MatureNotABoolean => "mature-not-a-boolean",
            Self::BelowMinViewers => "below-min-viewers",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
