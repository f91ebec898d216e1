//! Games: what `/games` and `/games/top` tell of them.

use serde::Serialize;

use super::rng::Rng;
use super::words::{GAME_FIRST, GAME_SECOND, GAMES};

/// A game or category, with the fields and order of a Helix item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Game {
    /// Decimal digits, 3 to 10 of them.
    pub id: String,
    /// Not unique.
    pub name: String,
    /// A template with `{width}` and `{height}` in it.
    pub box_art_url: String,
    /// Decimal digits, or empty when unknown.
    pub igdb_id: String,
}

/// The `n`-th game of a world, the most watched first.
pub(crate) fn make(n: usize, rng: &mut Rng) -> Game {
    let (id, name) = match GAMES.get(n) {
        Some(&(id, name)) => (id, name.to_owned()),
        None => (id(n, rng), name(n, rng)),
    };
    Game {
        box_art_url: format!("https://static-cdn.jtvnw.net/ttv-boxart/{id}_IGDB-{{width}}x{{height}}.jpg"),
        igdb_id: if rng.chance(0.19) { String::new() } else { rng.between(2, 340_000).to_string() },
        id: id.to_string(),
        name,
    }
}

/// Distinct ids above those of the games known by name, the longest just below 2^31.
fn id(n: usize, rng: &mut Rng) -> u64 {
    let n = n as u64;
    match n % 10 {
        0..6 => 600_000 + n * 17 + rng.below(17) as u64,
        6..9 => 20_000_000 + n * 1_013 + rng.below(1_013) as u64,
        _ => 2_147_244_070 - n * 3_001 - rng.below(3_001) as u64,
    }
}

fn name(n: usize, rng: &mut Rng) -> String {
    let words = format!("{} {}", rng.pick(GAME_FIRST), rng.pick(GAME_SECOND));
    match n % 50 {
        // A few share their name with another game, up to the case of its letters.
        0 => words.to_uppercase(),
        1 => words,
        _ => format!("{words} {n}"),
    }
}
