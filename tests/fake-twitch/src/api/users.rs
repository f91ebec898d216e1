//! `GET users`: users by id or login; those banned or unknown are left out, and one malformed id spoils the batch.

use super::answer::Answer;
use super::call::Call;
use super::query::is_id;
use super::reply::Reply;
use crate::world::World;

pub(crate) fn answer(world: &World, call: &Call) -> Result<Answer, Reply> {
    let query = &call.query;
    query.batch(&["id", "login"])?;
    if !query.all("id").all(is_id) {
        return Err(Reply::error(400, "The ID in the id query parameter is not valid."));
    }
    if !query.all("login").all(is_login) {
        return Err(Reply::error(400, "Invalid login names, emails or IDs in request"));
    }
    let by_id = query.all("id").filter_map(|id| world.user(id));
    let by_login = query.all("login").filter_map(|login| world.user_by_login(login));
    let mut answer = Answer::default();
    let mut told = std::collections::HashSet::new();
    for user in by_id.chain(by_login) {
        if told.insert(user.id.clone()) {
            answer.push(&user);
        }
    }
    Ok(answer)
}

fn is_login(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
