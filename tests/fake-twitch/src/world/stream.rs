//! Live streams: what `/streams` tells of them.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use super::game::Game;
use super::rng::Rng;
use super::{name, title};

/// A live stream, with the fields and order of a Helix item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// Decimal digits, 12 of them.
    pub id: String,
    /// Decimal digits, 5 to 10 of them.
    pub user_id: String,
    /// Lower-case dead letters, digits and `_`.
    pub user_login: String,
    /// The display name, possibly in another script.
    pub user_name: String,
    /// Decimal digits, or empty without a category.
    pub game_id: String,
    /// Usually empty with an empty `game_id`, but not always.
    pub game_name: String,
    /// `live`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Up to 140 code points of anything; may be empty.
    pub title: String,
    /// May be 0.
    pub viewer_count: u64,
    /// RFC 3339, whole seconds, UTC.
    pub started_at: String,
    /// Two dead letters, `zh-hk` or `other`.
    pub language: &'static str,
    /// A template with `{width}` and `{height}` in it.
    pub thumbnail_url: String,
    /// Deprecated by Twitch; always empty.
    pub tag_ids: [&'static str; 0],
    /// Rarely `null`; at most ten.
    pub tags: Option<Vec<Cow<'static, str>>>,
    /// Deprecated by Twitch.
    pub is_mature: bool,
}

impl Stream {
    /// Whether this is Twitch's synthetic record rather than somebody's stream.
    pub fn is_test_record(&self) -> bool {
        self.user_id == TEST_USER
    }
}

/// The `user_id` of the synthetic record in Twitch's production feed.
pub const TEST_USER: &str = "testDocumentId2";

/// The stream with the `n`-th largest audience. The game is put in later.
pub(crate) fn make(n: usize, viewer_count: u64, now: DateTime<Utc>, rng: &mut Rng) -> Stream {
    let user_login = name::login(n, rng);
    let tongue = title::tongue(rng);
    let age = TimeDelta::seconds(i64::try_from(rng.between(30, 60_000)).unwrap_or_default());
    Stream {
        id: id(n, rng),
        user_id: user_id(n, rng),
        user_name: name::display(&user_login, n, rng),
        game_id: String::new(),
        game_name: String::new(),
        kind: "live",
        title: title::title(tongue, rng),
        viewer_count,
        started_at: (now - age).to_rfc3339_opts(SecondsFormat::Secs, true),
        language: tongue.code,
        thumbnail_url: thumbnail(&user_login),
        tag_ids: [],
        tags: title::tags(tongue, rng),
        is_mature: rng.chance(0.2),
        user_login,
    }
}

/// The synthetic record, as it has been seen in Twitch's production feed.
pub(crate) fn test_record() -> Stream {
    Stream {
        id: "2".into(),
        user_id: TEST_USER.into(),
        user_login: "testDocumentName2".into(),
        user_name: String::new(),
        game_id: String::new(),
        game_name: String::new(),
        kind: "live",
        title: String::new(),
        viewer_count: 1_000,
        started_at: "1970-01-01T00:00:02Z".into(),
        language: "testBroadcasterLanguage2",
        thumbnail_url: thumbnail("testDocumentName2"),
        tag_ids: [],
        tags: None,
        is_mature: false,
    }
}

/// Puts the stream into a category, or into none: then a few still carry a name.
pub(crate) fn categorise(stream: &mut Stream, game: Option<&Game>, rng: &mut Rng) {
    match game {
        Some(game) => {
            stream.game_id.clone_from(&game.id);
            stream.game_name.clone_from(&game.name);
        }
        None if rng.chance(0.12) => "Twitch".clone_into(&mut stream.game_name),
        None => {}
    }
}

fn thumbnail(login: &str) -> String {
    format!("https://static-cdn.jtvnw.net/previews-ttv/live_user_{login}-{{width}}x{{height}}.jpg")
}

/// A prime above every world's size: multiplying by another number modulo it shuffles without repeats.
const SHUFFLE: u64 = 999_983;

fn id(n: usize, rng: &mut Rng) -> String {
    let slot = (n as u64 * 104_729) % SHUFFLE;
    (316_000_000_000 + slot * 1_000 + rng.between(0, 999)).to_string()
}

/// Distinct ids of 5 to 10 digits: each length has its own range, and the more digits the commoner.
fn user_id(n: usize, rng: &mut Rng) -> String {
    let slot = (n as u64 * 7_919) % SHUFFLE;
    let id = match n {
        1..=20 => 20_000 + n as u64 * 3_000 + rng.between(0, 2_999),
        21..=120 => 100_000 + n as u64 * 7_000 + rng.between(0, 6_999),
        _ => match slot % 10 {
            0 => 1_000_000 + slot * 8 + rng.between(0, 7),
            1..4 => 10_000_000 + slot * 80 + rng.between(0, 79),
            4..8 => 100_000_000 + slot * 800 + rng.between(0, 799),
            _ => 1_000_000_000 + slot * 400 + rng.between(0, 399),
        },
    };
    id.to_string()
}
