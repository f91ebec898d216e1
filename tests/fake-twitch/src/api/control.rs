//! The world over HTTP, for scripts: its truth, its statistics, its faults.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Twitch;
use super::reply::Reply;
use crate::fault::{Defect, Fault};
use crate::lock::lock;
use crate::scenario::Scenario;

type Shared = State<Arc<Twitch>>;

fn lines<T: Serialize>(items: impl IntoIterator<Item = T>) -> Response {
    let mut body = Vec::new();
    for item in items {
        serde_json::to_writer(&mut body, &item).unwrap_or_default();
        body.push(b'\n');
    }
    Reply::new(200, "application/x-ndjson", body).into_response()
}

fn told(body: &impl Serialize) -> Response {
    Reply::json(json!(body).to_string()).into_response()
}

/// What is live now, one stream a line, the largest audience first.
pub(crate) async fn streams(State(twitch): Shared) -> Response {
    let world = &twitch.world;
    // The lock is not held while a large world is written.
    let scores: Vec<_> = world.live_now().all().collect();
    lines(scores.into_iter().map(|score| world.shown(score)))
}

/// The games `/games` knows.
pub(crate) async fn games(State(twitch): Shared) -> Response {
    lines(twitch.world.games())
}

/// The users `/users` tells of.
pub(crate) async fn users(State(twitch): Shared) -> Response {
    let world = &twitch.world;
    lines((0..world.streams().len()).filter_map(|number| world.user_number(number)))
}

/// The channel ids that are live but banned.
pub(crate) async fn banned(State(twitch): Shared) -> Response {
    lines(twitch.world.banned())
}

/// The streams that are told wrongly.
pub(crate) async fn defects(State(twitch): Shared) -> Response {
    lines(twitch.world.injected())
}

/// What faults did to streams.
pub(crate) async fn events(State(twitch): Shared) -> Response {
    lines(twitch.world.journal.events())
}

pub(crate) async fn stats(State(twitch): Shared) -> Response {
    told(&twitch.stats())
}

pub(crate) async fn reset_stats(State(twitch): Shared) -> Response {
    twitch.reset_stats();
    told(&json!({}))
}

pub(crate) async fn expire_tokens(State(twitch): Shared) -> Response {
    lock(&twitch.tokens).expire();
    told(&json!({}))
}

pub(crate) async fn faults(State(twitch): Shared) -> Response {
    told(&twitch.world.faults.list())
}

/// What shall go wrong from now on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wish {
    scenarios: Vec<String>,
    faults: Vec<Fault>,
    defects: Vec<Place>,
    /// Keep what goes wrong already.
    keep: bool,
}

/// A defect for the stream at this place of the world's list.
#[derive(Debug, Deserialize)]
struct Place {
    defect: Defect,
    number: usize,
}

/// Sets what goes wrong: `{"scenarios": […], "faults": […], "defects": […], "keep": false}`, or a scenario's bare name.
pub(crate) async fn set_faults(State(twitch): Shared, body: Bytes) -> Response {
    match wish(&body).and_then(|wish| grant(&twitch, wish)) {
        Ok(()) => told(&twitch.world.faults.list()),
        Err(why) => Reply::error(400, &why).into_response(),
    }
}

fn wish(body: &[u8]) -> Result<Wish, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    let scenarios = text.split_whitespace().map(str::to_owned).collect();
    Ok(Wish { scenarios, ..Wish::default() })
}

fn grant(twitch: &Twitch, wish: Wish) -> Result<(), String> {
    let named = wish.scenarios.iter().map(|name| name.parse::<Scenario>());
    let scenarios = named.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let world = &twitch.world;
    if !wish.keep {
        world.heal();
    }
    for scenario in &scenarios {
        world.play(scenario);
    }
    for fault in wish.faults {
        world.faults.push(fault);
    }
    for place in wish.defects {
        world.defects.inject(place.number, place.defect);
    }
    Ok(())
}
