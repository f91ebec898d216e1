//! The game-enricher: learns the games of stored chunks that are unknown or stale, a hundred a call.
//!
//! A second delivery is harmless: it finds every game known and fresh, changes nothing and announces the chunk again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use shared::{
    clock::Clock,
    config::{Database, SetupError, Twitch},
    enrichment::{Catalogue, Enricher, EnricherSettings, parse_age},
    helix::{self, Batch, Client},
    schema::{ChunkRef, ChunkStored, Game, GameId, GamesFilled, Missing},
    store::{self, Kind, Store},
    topology::{GAME_ENRICHER, Stage},
};

/// The game-enricher's settings.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    twitch: Twitch,
    #[command(flatten)]
    enricher: EnricherSettings,
    /// How long what is known of a game counts as fresh: categories are renamed; 0 asks for every game of every pull
    #[arg(long, env, default_value = "7d", value_name = "DURATION", value_parser = parse_age)]
    game_max_age: Duration,
}

/// The worker.
pub type GameEnricher = Enricher<Games>;

/// Makes the worker; calls nobody yet.
pub fn worker(settings: &Settings, clock: Clock) -> Result<GameEnricher, SetupError> {
    let Settings { database, twitch, enricher, game_max_age } = settings;
    Enricher::new(database, twitch, enricher.clone(), *game_max_age, clock)
}

/// Games, as they are asked for and kept.
#[derive(Debug)]
pub struct Games;

impl Catalogue for Games {
    const STAGE: Stage<ChunkStored, GamesFilled> = GAME_ENRICHER;
    const KIND: Kind = Kind::Game;
    const SHARED: bool = true;
    type In = ChunkStored;
    type Out = GamesFilled;
    type Id = GameId;
    type Item = Game;

    fn chunk(message: &ChunkStored) -> ChunkRef {
        message.0
    }

    fn filled(chunk: ChunkRef) -> GamesFilled {
        GamesFilled(chunk)
    }

    fn id(game: &Game) -> &str {
        game.id.as_str()
    }

    async fn ask(helix: &Client, ids: &[GameId]) -> Result<Batch<GameId, Game>, helix::Error> {
        helix.games(ids).await
    }

    async fn keep(
        store: &Store,
        found: Vec<&Game>,
        missing: &[Missing],
        seen: ChunkRef,
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        store.keep_games(found, missing, seen, now).await
    }
}
