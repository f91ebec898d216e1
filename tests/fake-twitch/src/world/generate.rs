//! Making a world: streams by audience, games over them, a few channels banned.

use std::collections::HashSet;
use std::sync::Mutex;

use chrono::SubsecRound;

use super::audience::{CUT, audiences};
use super::rng::{Rng, float, of_text, part, whole};
use super::{Game, Journal, Live, Stream, World, WorldConfig, game, stream};
use crate::fault::{Defects, Faults};

impl World {
    /// Makes the world these measures describe; the same measures make the same world.
    pub fn generate(mut config: WorldConfig) -> Self {
        // Twitch tells streams in whole seconds.
        config.now = config.now.trunc_subsecs(0);
        let rng = &mut Rng::new(config.seed, 0);
        let games: Vec<Game> = (0..config.known_games()).map(|n| game::make(n, rng)).collect();
        let mut streams = streams(&config, rng);
        let order = shuffled(&streams, rng);
        hand_out_games(&mut streams, &games, &order, &config, rng);
        // From the other end of the order than the games, so that banned channels play games somebody else plays too.
        let banned = order.iter().rev().take(part(config.streams, config.banned)).copied().collect();
        Self {
            faults: Faults::new(config.seed),
            defects: Defects::default(),
            journal: Journal::default(),
            live: Mutex::new(Live::new(streams.iter().map(|stream| stream.viewer_count))),
            game_at: games.iter().enumerate().map(|(at, game)| (game.id.clone(), at)).collect(),
            user_at: numbered(&streams, |stream| &stream.user_id),
            login_at: numbered(&streams, |stream| &stream.user_login),
            banned,
            config,
            streams,
            games,
        }
    }
}

fn numbered<C: FromIterator<(u64, usize)>>(streams: &[Stream], key: fn(&Stream) -> &str) -> C {
    streams.iter().enumerate().map(|(number, stream)| (of_text(key(stream)), number)).collect()
}

fn streams(config: &WorldConfig, rng: &mut Rng) -> Vec<Stream> {
    let viewers = audiences(config.streams, config.tail, rng);
    let mut streams: Vec<Stream> = viewers
        .into_iter()
        .enumerate()
        .map(|(n, viewers)| stream::make(n, viewers, config.now, rng))
        .collect();
    if config.test_record {
        let record = stream::test_record();
        let at = streams.partition_point(|stream| stream.viewer_count >= record.viewer_count);
        streams.insert(at, record);
    }
    streams
}

/// The numbers of the streams with an audience in random order, the test record and the very largest apart: rare
/// games and bans are for ordinary channels.
fn shuffled(streams: &[Stream], rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (streams.len() / 50..streams.len())
        .filter(|&number| streams[number].viewer_count >= CUT && !streams[number].is_test_record())
        .collect();
    for at in (1..order.len()).rev() {
        order.swap(at, rng.below(at + 1));
    }
    order
}

/// Every game, known or not, is played by at least one stream with an audience if there are enough of them; the
/// other streams flock to the first games or have none.
fn hand_out_games(
    streams: &mut [Stream],
    games: &[Game],
    order: &[usize],
    config: &WorldConfig,
    rng: &mut Rng,
) {
    let unknown: Vec<Game> = (0..config.unknown_games).map(|n| unknown_game(n, rng)).collect();
    let mut placed = HashSet::new();
    for (&number, game) in order.iter().zip(unknown.iter().chain(games)) {
        stream::categorise(&mut streams[number], Some(game), rng);
        placed.insert(number);
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        if placed.contains(&number) || stream.is_test_record() {
            continue;
        }
        let game = if rng.chance(config.without_game) { None } else { popular(games, rng) };
        stream::categorise(stream, game, rng);
    }
}

/// A known game, the first ones far oftener than the last ones.
fn popular<'a>(games: &'a [Game], rng: &mut Rng) -> Option<&'a Game> {
    let at = usize::try_from(whole(float(games.len()) * rng.unit().powi(5))).unwrap_or_default();
    games.get(at).or_else(|| games.first())
}

fn unknown_game(n: usize, rng: &mut Rng) -> Game {
    Game { id: (1_900_000_000 + n).to_string(), ..game::make(1_000 + n, rng) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_measures_make_the_same_world() {
        let (a, b) = (World::generate(WorldConfig::default()), World::generate(WorldConfig::default()));
        assert_eq!(a.streams(), b.streams());
        assert_eq!(a.games(), b.games());
        let other = World::generate(WorldConfig { seed: 2, ..WorldConfig::default() });
        assert_ne!(a.streams(), other.streams());
    }

    #[test]
    fn ids_logins_and_games_are_distinct_and_of_their_kind() {
        let world = World::generate(WorldConfig::sized(20_000));
        let people = || world.streams().iter().filter(|stream| !stream.is_test_record());
        let distinct = |of: fn(&Stream) -> &str| people().map(of).collect::<HashSet<_>>().len();
        let n = people().count();
        assert_eq!(n, 20_300);
        assert_eq!(distinct(|s| &s.id), n);
        assert_eq!(distinct(|s| &s.user_id), n);
        assert_eq!(distinct(|s| &s.user_login), n);
        for stream in people() {
            assert_eq!(stream.id.len(), 12);
            assert!((5..=10).contains(&stream.user_id.len()) && stream.user_id.parse::<u64>().is_ok());
            assert!(stream.user_login.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')));
        }
        assert_eq!(
            world.games().iter().map(|game| &game.id).collect::<HashSet<_>>().len(),
            world.games().len()
        );
        assert!(world.games().iter().all(|game| (3..=10).contains(&game.id.len())));
    }

    #[test]
    fn oddities_are_dosed_as_asked() {
        let world = World::generate(WorldConfig { unknown_games: 40, ..WorldConfig::sized(10_000) });
        assert_eq!(world.unknown_games().len(), 40);
        assert_eq!(world.banned().count(), 50);
        assert!(world.banned().all(|id| world.user(id).is_none()));
        let none = world.streams().iter().filter(|stream| stream.game_id.is_empty());
        assert!((100..=250).contains(&none.clone().count()));
        assert!(none.filter(|stream| !stream.game_name.is_empty()).count() > 3);
        assert_eq!(world.streams().iter().filter(|stream| stream.is_test_record()).count(), 1);
        let played: HashSet<&str> = world.streams().iter().map(|stream| stream.game_id.as_str()).collect();
        assert!(world.games().iter().all(|game| played.contains(game.id.as_str())));
    }

    #[test]
    fn a_plain_world_has_no_oddities() {
        let world = World::generate(WorldConfig::plain(500));
        assert_eq!(world.streams().len(), 500);
        assert_eq!(world.sound_streams(10).count(), 500);
        assert!(
            world
                .streams()
                .iter()
                .all(|s| world.game(&s.game_id).is_some() && world.user(&s.user_id).is_some())
        );
    }

    #[test]
    fn users_are_found_by_id_and_by_login() {
        let world = World::generate(WorldConfig::plain(50));
        let stream = &world.streams()[7];
        let user = world.user(&stream.user_id).unwrap();
        assert_eq!(
            (&user.login, &user.display_name, user.view_count),
            (&stream.user_login, &stream.user_name, 0)
        );
        assert_eq!(world.user_by_login(&stream.user_login), Some(user));
        assert_eq!(world.user("12"), None);
    }
}
