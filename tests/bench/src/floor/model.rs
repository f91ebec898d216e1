//! What Twitch tells, and the document that is stored of it.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer, Serialize};

/// A stream, with the fields that are kept.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stream {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) user_login: String,
    pub(crate) user_name: String,
    /// Empty without a category.
    pub(crate) game_id: String,
    pub(crate) game_name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) viewer_count: i32,
    pub(crate) started_at: String,
    pub(crate) language: String,
    pub(crate) thumbnail_url: String,
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) tags: Vec<String>,
    pub(crate) is_mature: bool,
}

impl Stream {
    /// Whether it is kept. Twitch's feed has a synthetic record whose user id is no number.
    pub(crate) fn is_sound(&self, min_viewers: i32) -> bool {
        self.viewer_count >= min_viewers && self.user_id.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// A game as `/games` tells it, and as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Game {
    pub(crate) id: String,
    name: String,
    box_art_url: String,
    igdb_id: String,
}

/// A channel as `/users` tells it, and as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Channel {
    pub(crate) id: String,
    login: String,
    display_name: String,
    profile_image_url: String,
    offline_image_url: String,
    view_count: i64,
    broadcaster_type: String,
    description: String,
    created_at: String,
}

/// What is stored of a stream: its own fields, its game and its channel.
#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    #[serde(flatten)]
    stream: &'a Stream,
    game: Option<&'a Game>,
    channel: Option<&'a Channel>,
}

impl<'a> Document<'a> {
    /// Joins the three.
    pub(crate) fn join(
        stream: &'a Stream,
        games: &'a HashMap<String, Game>,
        channels: &'a HashMap<String, Channel>,
    ) -> Self {
        Self { stream, game: games.get(&stream.game_id), channel: channels.get(&stream.user_id) }
    }
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
