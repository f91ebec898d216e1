//! `GET games/top`: games by how many watch them now, in pages that are counted.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::answer::Answer;
use super::call::Call;
use super::cursor::{offset_cursor, read_offset};
use super::reply::Reply;
use crate::world::{Game, World};

pub(crate) fn answer(world: &World, call: &Call) -> Result<Answer, Reply> {
    let first = call.query.first()?;
    let offset = read_offset(&call.query)?;
    let games = ranking(world);
    let mut answer = Answer::default();
    for game in games.iter().skip(offset).take(first) {
        answer.push(game);
    }
    let end = offset + first;
    answer.page((end < games.len()).then(|| offset_cursor(end)));
    Ok(answer)
}

/// The games somebody plays, the most watched first.
fn ranking(world: &World) -> Vec<&Game> {
    let mut viewers: HashMap<&str, u64> = HashMap::new();
    for score in world.live_now().all() {
        *viewers.entry(&world.streams()[score.stream()].game_id).or_default() += score.viewers();
    }
    let mut games: Vec<&Game> =
        world.games().iter().filter(|game| viewers.contains_key(game.id.as_str())).collect();
    games.sort_by_key(|game| (Reverse(viewers[game.id.as_str()]), &game.id));
    games
}
