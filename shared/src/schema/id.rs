//! Ids that cannot be mistaken for one another.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most digits an id may have; Twitch's are up to 12 today, and 20 hold any 64-bit number.
const MOST_DIGITS: usize = 20;

/// A pull: one snapshot of everything live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PullId(pub i64);

impl fmt::Display for PullId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PullId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// One page of a pull, by the key of its row: the unit of work, redelivery and provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ChunkRef {
    /// The pull it belongs to.
    pub pull_id: PullId,
    /// When that pull was started: the time by which its rows are partitioned, so that no statement has to search.
    pub pulled_at: DateTime<Utc>,
    /// Its number in the pull, from 1.
    pub chunk: i32,
}

impl fmt::Display for ChunkRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pull {} chunk {}", self.pull_id, self.chunk)
    }
}

/// An id that is not made of 1 to 20 digits.
///
/// Twitch calls its ids opaque strings, but answers a whole batch with 400 when one id is not numeric, so ids are
/// checked before they are stored or sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id must be 1 to 20 digits, and this is {0:?}")]
pub struct InvalidId(String);

macro_rules! numeric_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The digits, exactly as Twitch sent them.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                if digits && (1..=MOST_DIGITS).contains(&text.len()) {
                    Ok(Self(text))
                } else {
                    Err(InvalidId(text.chars().take(80).collect()))
                }
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

numeric_id! {
    /// One broadcast. A short drop of the connection may begin another with a new id.
    StreamId
}
numeric_id! {
    /// A channel, which Twitch also calls a user or broadcaster.
    ChannelId
}
numeric_id! {
    /// A game, which Twitch also calls a category.
    GameId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_an_id() {
        assert_eq!("0042".parse::<GameId>().unwrap().as_str(), "0042", "kept as sent: 0042 is not 42");
        for bad in ["", " 1", "-1", "1.0", "testDocumentId2", "١٢", "123456789012345678901", "1\0"] {
            assert!(bad.parse::<ChannelId>().is_err(), "{bad:?}");
        }
    }
}
