//! The world: what is true on this Twitch, and which faults lie over it.
//!
//! A [`World`] is made once from a [`WorldConfig`]. Its streams, games and users then stay as they are and are what
//! tests compare against; who is live, with how many viewers, may be moved by faults and is told by
//! [`World::live`] and the [`Journal`].

mod audience;
mod config;
mod defects;
mod game;
mod generate;
mod journal;
mod live;
mod name;
pub(crate) mod rng;
pub(crate) mod stream;
mod title;
mod user;
mod words;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

pub use config::WorldConfig;
pub use defects::Injected;
pub use game::Game;
pub use journal::{Event, Happening, Journal};
pub(crate) use live::{Live, Score};
pub use stream::{Stream, TEST_USER};
pub use user::User;

use crate::fault::{Defects, Faults};
use crate::lock::lock;
use rng::of_text;

/// What is true, and what is wrong with how it is told.
#[derive(Debug)]
pub struct World {
    /// Faults in how the API answers.
    pub faults: Faults,
    /// Streams whose records are told wrongly.
    pub defects: Defects,
    /// What faults did to streams so far.
    pub journal: Journal,
    config: WorldConfig,
    streams: Vec<Stream>,
    games: Vec<Game>,
    game_at: HashMap<String, usize>,
    user_at: HashMap<u64, usize>,
    login_at: HashMap<u64, usize>,
    banned: HashSet<usize>,
    live: Mutex<Live>,
}

impl World {
    /// The measures this world was made from.
    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// Every stream of the world as it was made, the largest audience first; a stream's place here is its number.
    /// The test record is among them.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// The streams a validator should keep: at least `min_viewers`, not the test record, not told wrongly.
    pub fn sound_streams(&self, min_viewers: u64) -> impl Iterator<Item = &Stream> {
        self.streams.iter().enumerate().filter_map(move |(number, stream)| {
            let sound = stream.viewer_count >= min_viewers && !stream.is_test_record();
            (sound && self.defects.of(number).is_none()).then_some(stream)
        })
    }

    /// The streams live at this moment with the viewers they have now: the same as [`World::streams`] unless faults
    /// made streams vanish or viewers jump.
    pub fn live(&self) -> Vec<Stream> {
        let scores: Vec<Score> = self.live_now().all().collect();
        scores.into_iter().map(|score| self.shown(score)).collect()
    }

    /// The games `/games` knows, the most watched first.
    pub fn games(&self) -> &[Game] {
        &self.games
    }

    /// The game with this id, if `/games` knows it.
    pub fn game(&self, id: &str) -> Option<&Game> {
        self.game_at.get(id).map(|&at| &self.games[at])
    }

    /// The user with this id, if `/users` tells of them: banned channels are left out.
    pub fn user(&self, id: &str) -> Option<User> {
        let number = *self.user_at.get(&of_text(id))?;
        self.user_number(number).filter(|user| user.id == id)
    }

    /// The user with this login, if `/users` tells of them.
    pub fn user_by_login(&self, login: &str) -> Option<User> {
        let number = *self.login_at.get(&of_text(login))?;
        self.user_number(number).filter(|user| user.login == login)
    }

    /// The channel ids that are live but that `/users` leaves out.
    pub fn banned(&self) -> impl Iterator<Item = &str> {
        self.streams
            .iter()
            .enumerate()
            .filter_map(|(number, stream)| self.banned.contains(&number).then_some(stream.user_id.as_str()))
    }

    /// The game ids streams carry that `/games` does not know.
    pub fn unknown_games(&self) -> HashSet<&str> {
        let ids = self.streams.iter().map(|stream| stream.game_id.as_str());
        ids.filter(|id| !id.is_empty() && !self.game_at.contains_key(*id)).collect()
    }

    /// Takes every fault and defect away; what they did to streams stays done.
    pub fn heal(&self) {
        self.faults.clear();
        self.defects.clear();
    }

    /// Whether somebody has this login, whatever `/users` says of them.
    pub(crate) fn has_login(&self, login: &str) -> bool {
        self.login_at.contains_key(&of_text(login))
    }

    pub(crate) fn user_number(&self, number: usize) -> Option<User> {
        let stream = &self.streams[number];
        let told = !stream.is_test_record() && !self.banned.contains(&number);
        told.then(|| user::of_stream(stream, self.config.seed, self.config.now))
    }

    pub(crate) fn live_now(&self) -> MutexGuard<'_, Live> {
        lock(&self.live)
    }

    pub(crate) fn shown(&self, score: Score) -> Stream {
        Stream { viewer_count: score.viewers(), ..self.streams[score.stream()].clone() }
    }
}
