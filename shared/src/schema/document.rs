//! The PullData document: a stream under Helix's own names, and the names of what is merged into it.

use serde::{Deserialize, Serialize};

use super::{ChannelId, GameId, StreamId};

/// A validated stream record, as it is stored: Helix's field names, ids as strings.
///
/// Source of the fields: <https://dev.twitch.tv/docs/api/reference/#get-streams>. The deprecated `tag_ids` is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The broadcast.
    pub id: StreamId,
    /// The channel.
    pub user_id: ChannelId,
    /// The channel's login name, lower case.
    pub user_login: String,
    /// The channel's display name, in any script.
    pub user_name: String,
    /// The game; `None` is a stream without category, which Helix writes `""`.
    #[serde(with = "empty_is_none")]
    pub game_id: Option<GameId>,
    /// The game's name; may be there without an id.
    pub game_name: String,
    /// `live`, or `""` where Twitch had an error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The title; may be empty.
    pub title: String,
    /// Viewers at the time.
    pub viewer_count: i32,
    /// When the broadcast began, as Twitch wrote it (RFC 3339).
    pub started_at: String,
    /// ISO 639-1, `other`, or a regional form such as `zh-hk`.
    pub language: String,
    /// A template with `{width}x{height}`.
    pub thumbnail_url: String,
    /// The tags, in Twitch's order; null becomes empty.
    pub tags: Vec<String>,
    /// Deprecated by Twitch: always false since about January 2026.
    pub is_mature: bool,
}

/// The members of `game` in a merged document.
pub const GAME_KEYS: [&str; 4] = ["id", "name", "box_art_url", "igdb_id"];

/// The members of `channel` in a merged document.
pub const CHANNEL_KEYS: [&str; 9] = [
    "id",
    "login",
    "display_name",
    "profile_image_url",
    "offline_image_url",
    "view_count",
    "broadcaster_type",
    "description",
    "created_at",
];

/// Helix writes a stream without category as an empty id.
mod empty_is_none {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::GameId;

    #[expect(clippy::ref_option, reason = "the signature serde asks for")]
    pub(super) fn serialize<S: Serializer>(id: &Option<GameId>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(id.as_ref().map_or("", GameId::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<GameId>, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() { Ok(None) } else { GameId::try_from(text).map(Some).map_err(D::Error::custom) }
    }
}
