//! The state behind the API: the world, and what the server keeps about those who ask.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::bucket::Bucket;
use super::stats::{Stats, Tally};
use super::tokens::Tokens;
use super::{Endpoint, Settings};
use crate::lock::lock;
use crate::world::World;
use crate::world::rng::whole;

/// One Twitch.
#[derive(Debug)]
pub(crate) struct Twitch {
    pub(crate) world: World,
    pub(crate) settings: Settings,
    pub(crate) tokens: Mutex<Tokens>,
    pub(crate) bucket: Mutex<Bucket>,
    pub(crate) tally: Mutex<Tally>,
    /// The wall clock when it was last read, and since when time is counted from it: so tests can move time.
    started: (SystemTime, Instant),
}

impl Twitch {
    pub(crate) fn new(world: World, settings: Settings) -> Self {
        Self {
            world,
            tokens: Mutex::default(),
            bucket: Mutex::new(Bucket::new(settings.limit, settings.refill)),
            tally: Mutex::default(),
            started: (SystemTime::now(), Instant::now()),
            settings,
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        lock(&self.tally).stats()
    }

    pub(crate) fn reset_stats(&self) {
        *lock(&self.tally) = Tally::default();
    }

    /// Takes a point for a call, and counts it.
    pub(crate) fn take_point(&self) -> bool {
        let had_one = lock(&self.bucket).take();
        lock(&self.tally).point(had_one);
        had_one
    }

    /// Seconds since 1970.
    fn now(&self) -> u64 {
        let (wall, since) = self.started;
        (wall + since.elapsed()).duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
    }

    /// The bucket as every reply of the API tells it.
    pub(crate) fn ratelimit(&self, headers: &mut HeaderMap) {
        let mut bucket = lock(&self.bucket);
        let reset = self.now() + whole(bucket.until_full().as_secs_f64().ceil());
        let told = [
            ("ratelimit-limit", u64::from(bucket.size())),
            ("ratelimit-remaining", u64::from(bucket.remaining())),
            ("ratelimit-reset", reset),
        ];
        headers.extend(told.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from(value))));
    }

    pub(crate) fn is_client(&self, id: &str) -> bool {
        self.settings.client_id == id
    }

    pub(crate) fn count_reply(&self, endpoint: Endpoint, status: u16) {
        lock(&self.tally).reply(endpoint, status);
    }
}
