//! `GET streams`: everything live, the largest audience first, in pages.

use std::collections::HashSet;

use super::answer::Answer;
use super::call::Call;
use super::cursor::Position;
use super::page::Cutter;
use super::query::{MOST, Query};
use super::reply::Reply;
use crate::fault::Effect;
use crate::world::{Happening, Score, Stream, World};

pub(crate) fn answer(world: &World, call: &Call) -> Result<Answer, Reply> {
    let filter = Filter::read(world, &call.query)?;
    let first = call.query.first()?;
    let position = Position::read(&call.query)?;
    let of = |score: Score| filter.takes(&world.streams()[score.stream()]);
    let page = Cutter { world, call, first, of }.cut(position);
    let mut answer = Answer::default();
    for &score in &page.scores {
        tell(world, call, score, &mut answer);
    }
    if call.has(&Effect::NullData) {
        for score in page.scores {
            world.journal.note(Happening::Lost, &world.streams()[score.stream()].id, call.number);
        }
    }
    answer.page(page.next);
    Ok(answer)
}

fn tell(world: &World, call: &Call, score: Score, answer: &mut Answer) {
    let stream = &world.streams()[score.stream()];
    if let Some(defect) = world.defects.of(score.stream()) {
        world.journal.note(Happening::Broken(defect), &stream.id, call.number);
        answer.push_text(&defect.tell(&world.shown(score)));
    } else if stream.viewer_count == score.viewers() {
        answer.push(stream);
    } else {
        answer.push(&world.shown(score));
    }
}

/// Lists are each of alternatives; a stream must be in all lists that are given.
struct Filter<'a> {
    users: HashSet<&'a str>,
    logins: HashSet<&'a str>,
    games: HashSet<&'a str>,
    languages: HashSet<&'a str>,
}

impl<'a> Filter<'a> {
    fn read(world: &World, query: &'a Query) -> Result<Self, Reply> {
        if !matches!(query.one("type"), None | Some("all" | "live")) {
            return Err(Reply::error(
                400,
                "The parameter \"type\" was malformed: the value must be one of all, live",
            ));
        }
        let list = |name| match query.all(name).count() {
            0..=MOST => Ok(query.all(name).collect::<HashSet<&str>>()),
            _ => {
                Err(Reply::error(400, &format!("The parameter \"{name}\" was malformed: at most 100 values")))
            }
        };
        let filter = Self {
            users: list("user_id")?,
            logins: list("user_login")?,
            games: list("game_id")?,
            languages: list("language")?,
        };
        // A login nobody has spoils the request, an id nobody has does not (twitchdev/issues#700).
        if filter.logins.iter().any(|login| !world.has_login(login)) {
            return Err(Reply::error(400, "Malformed query params."));
        }
        Ok(filter)
    }

    fn takes(&self, stream: &Stream) -> bool {
        let lists = [
            (&self.users, stream.user_id.as_str()),
            (&self.logins, &stream.user_login),
            (&self.games, &stream.game_id),
            (&self.languages, stream.language),
        ];
        lists.iter().all(|(list, value)| list.is_empty() || list.contains(value))
    }
}
