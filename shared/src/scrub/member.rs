//! Members of a JSON object, and columns: which are about a channel, and how.

/// What stands where something was.
pub(super) const ERASED: &str = "erased";

/// Members and columns that never hold what people wrote: words of programs, names of games, people who run commands.
pub(super) const NOT_ABOUT_CHANNELS: [&str; 39] = [
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
pub(super) const IDENTITIES: [&str; 7] =
    ["user_login", "user_name", "login", "display_name", "channel_login", "channel_name", "name"];

/// What people write freely; left as it is where only the channel's own data is to be erased.
pub(super) const AUTHORED: [&str; 3] = ["title", "tags", "description"];

/// Members and columns that hold the id of a channel.
pub(super) const IDS: [&str; 5] = ["user_id", "channel_id", "broadcaster_id", "channel_ids", "channel"];

/// Whether members and columns of this name never hold what people wrote.
pub fn is_about_no_channel(name: &str) -> bool {
    NOT_ABOUT_CHANNELS.contains(&name)
}

/// Whether members and columns of this name hold the name of one channel.
pub fn is_identity(name: &str) -> bool {
    IDENTITIES.contains(&name)
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
