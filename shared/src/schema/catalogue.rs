//! What is known about a game or a channel.

use chrono::{DateTime, Utc};

use super::{ChannelId, ChunkRef, GameId};

/// A game, as Twitch describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Game {
    /// Its id.
    pub id: GameId,
    /// Its name; not unique.
    pub name: String,
    /// Box art: a template with `{width}x{height}`.
    pub box_art_url: String,
    /// Its id at IGDB; empty where Twitch does not know it.
    pub igdb_id: String,
}

/// A channel, as Twitch describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// The login name, lower case.
    pub login: String,
    /// The display name, in any script.
    pub display_name: String,
    /// The profile picture.
    pub profile_image_url: String,
    /// The picture shown while offline; often empty.
    pub offline_image_url: String,
    /// Deprecated by Twitch: no longer a valid number.
    pub view_count: i64,
    /// `partner`, `affiliate` or empty.
    pub broadcaster_type: String,
    /// What the channel says of itself.
    pub description: String,
    /// When the account was made; none where Twitch does not tell.
    pub created_at: Option<DateTime<Utc>>,
}

/// An id that has no game or channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The id.
    pub id: String,
    /// Why there is none.
    pub reason: Absence,
    /// A chunk with a stream that has this id.
    pub seen: ChunkRef,
}

/// Why an id has no game or channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Twitch left it out of its answer.
    Absent,
    /// Asked alone, and Twitch called the request bad.
    Refused,
    /// Twitch's answer for it could not be read.
    Malformed,
}

impl Absence {
    /// The name used in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
        }
    }
}
