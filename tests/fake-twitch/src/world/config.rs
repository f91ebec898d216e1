//! How large a world is and how its oddities are dosed.

use chrono::{DateTime, TimeZone, Utc};

/// The measures of a world. The same measures give the same world, byte for byte.
#[derive(Debug, Clone, PartialEq)]
pub struct WorldConfig {
    /// What every random choice follows from.
    pub seed: u64,
    /// How many streams have at least 10 viewers (the test record not counted).
    pub streams: usize,
    /// How many streams have fewer than 10 viewers, down to none.
    pub tail: usize,
    /// How many games `/games` knows; `None` takes an eighth of the streams, between 20 and 4,000.
    pub games: Option<usize>,
    /// How many further games streams carry that `/games` does not know.
    pub unknown_games: usize,
    /// The share of channels that `/users` leaves out though they are live.
    pub banned: f64,
    /// The share of streams with an empty `game_id`.
    pub without_game: f64,
    /// The share of pages, the last one apart, that lack 1 to 5 items. The cursor goes on right after the last
    /// item shown, so nothing is lost.
    pub short_pages: f64,
    /// Whether the feed has Twitch's synthetic `testDocumentId2` record, at 1,000 viewers.
    pub test_record: bool,
    /// The moment the world is seen at: every stream started before it.
    pub now: DateTime<Utc>,
}

impl WorldConfig {
    /// The default world with another number of streams at 10 viewers or more.
    #[must_use]
    pub fn sized(streams: usize) -> Self {
        Self { streams, ..Self::default() }
    }

    /// A world without oddities in its lists: no tail, no test record, no short page, nobody banned, every game
    /// known and set. For tests that count calls.
    #[must_use]
    pub fn plain(streams: usize) -> Self {
        Self {
            streams,
            tail: 0,
            unknown_games: 0,
            banned: 0.0,
            without_game: 0.0,
            short_pages: 0.0,
            test_record: false,
            ..Self::default()
        }
    }

    pub(crate) fn known_games(&self) -> usize {
        self.games.unwrap_or_else(|| (self.streams / 8).clamp(20, 4_000))
    }
}

impl Default for WorldConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            streams: 1_000,
            tail: 300,
            games: None,
            unknown_games: 5,
            banned: 0.005,
            without_game: 0.019,
            short_pages: 0.02,
            test_record: true,
            now: Utc.timestamp_opt(1_767_787_200, 0).single().unwrap_or_default(),
        }
    }
}
