//! Users: what `/users` tells of the channel behind a stream.
//!
//! A user is worked out of the seed and the channel's id when asked for, not kept: a large world stays light.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use super::rng::{Rng, of_text};
use super::stream::Stream;
use super::words::TONGUES;

/// A user, with the fields and order of a Helix item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Decimal digits, 5 to 10 of them.
    pub id: String,
    /// Lower-case dead letters, digits and `_`.
    pub login: String,
    /// Possibly in another script.
    pub display_name: String,
    /// Empty, `staff`, `admin` or `global_mod`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Empty, `affiliate` or `partner`.
    pub broadcaster_type: &'static str,
    /// Up to 299 code points, may be empty.
    pub description: String,
    /// An address without a template.
    pub profile_image_url: String,
    /// Often empty.
    pub offline_image_url: String,
    /// Deprecated by Twitch; always 0.
    pub view_count: u64,
    /// RFC 3339 in UTC, in whole seconds or in microseconds.
    pub created_at: String,
}

/// The user who is live with this stream.
pub(crate) fn of_stream(stream: &Stream, seed: u64, now: DateTime<Utc>) -> User {
    let rng = &mut Rng::new(seed, of_text(&stream.user_id));
    User {
        id: stream.user_id.clone(),
        login: stream.user_login.clone(),
        display_name: stream.user_name.clone(),
        kind: if rng.chance(0.001) { "staff" } else { "" },
        broadcaster_type: match stream.viewer_count {
            500.. => "partner",
            10.. => "affiliate",
            _ => "",
        },
        description: description(rng),
        profile_image_url: image("profile_image", rng),
        offline_image_url: if rng.chance(0.6) { String::new() } else { image("channel_offline_image", rng) },
        view_count: 0,
        created_at: created(now, rng),
    }
}

fn description(rng: &mut Rng) -> String {
    if rng.chance(0.2) {
        return String::new();
    }
    let phrases = TONGUES[rng.below(TONGUES.len())].phrases;
    let length = 20 + rng.below(280);
    let mut text = String::new();
    while text.len() < length {
        text.push_str(rng.pick(phrases));
        text.push_str(". ");
    }
    text.chars().take(length).collect()
}

fn image(what: &str, rng: &mut Rng) -> String {
    format!("https://static-cdn.jtvnw.net/jtv_user_pictures/{:016x}-{what}-300x300.png", rng.next())
}

fn created(now: DateTime<Utc>, rng: &mut Rng) -> String {
    let age = TimeDelta::seconds(i64::try_from(rng.between(86_400, 400_000_000)).unwrap_or_default());
    let fraction = if rng.chance(0.05) { TimeDelta::microseconds(123_457) } else { TimeDelta::zero() };
    (now - age + fraction).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
