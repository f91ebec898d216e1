//! `GET games`: games by id, name or IGDB id; those unknown are left out.

use super::answer::Answer;
use super::call::Call;
use super::reply::Reply;
use crate::world::World;

pub(crate) fn answer(world: &World, call: &Call) -> Result<Answer, Reply> {
    let query = &call.query;
    query.batch(&["id", "name", "igdb_id"])?;
    if query.all("id").any(str::is_empty) {
        return Err(Reply::error(400, "The parameter \"id\" was malformed: the value must not be empty"));
    }
    let named = |name| world.games().iter().find(|game| game.name == name);
    let in_igdb = |id: &str| world.games().iter().find(|game| game.igdb_id == id).filter(|_| !id.is_empty());
    let by_id = query.all("id").filter_map(|id| world.game(id));
    let by_name = query.all("name").filter_map(named);
    let by_igdb = query.all("igdb_id").filter_map(in_igdb);
    let mut answer = Answer::default();
    let mut told = std::collections::HashSet::new();
    for game in by_id.chain(by_name).chain(by_igdb) {
        if told.insert(&game.id) {
            answer.push(game);
        }
    }
    Ok(answer)
}
