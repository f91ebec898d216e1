//! The game-enricher: learns the games of stored chunks that are unknown or stale, a hundred a call.
//!
//! A second delivery is harmless: it finds every game known and fresh, changes nothing and announces the chunk again.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use clap::Args;
use shared::{
    clock::Clock,
    config::{Database, SetupError, Twitch},
    dead_letter::{DeadLetter, DeadLetterStore},
    failure::Failure,
    helix::{self, Batch, Client},
    runtime::{Announcer, Duty, Job, Outcome, Worker},
    schema::{ChunkRef, ChunkStored, Game, GameId, GamesFilled, Missing},
    store::{self, Kind, Store},
    topology::{Announcement, GAME_ENRICHER, Stage},
    work::{self, Catalogue, Enricher, EnricherSettings},
    worker_state::StatusReporter,
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
    #[arg(long, env, default_value = "7d", value_name = "DURATION", value_parser = work::parse_age)]
    game_max_age: Duration,
}

/// The worker.
#[derive(Debug)]
pub struct GameEnricher(Enricher);

impl GameEnricher {
    /// Makes the worker; calls nobody yet.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, SetupError> {
        let database = &settings.database;
        let store = Store::new(&database.url()?, database.database_connections, "game-enricher")?;
        let helix = Client::new(&settings.twitch, Arc::new(store.clone()), clock.clone())?;
        Ok(Self::of(store, helix, clock, settings.enricher.clone(), settings.game_max_age))
    }

    /// The worker, of its parts; what is known of a game counts as fresh for `max_age`.
    pub fn of(
        store: Store,
        helix: Client,
        clock: Clock,
        settings: EnricherSettings,
        max_age: Duration,
    ) -> Self {
        Self(Enricher::new(helix, store, clock, settings, max_age))
    }
}

impl Worker for GameEnricher {
    type In = ChunkStored;
    type Out = GamesFilled;

    const STAGE: Stage<ChunkStored, GamesFilled> = GAME_ENRICHER;

    async fn handle(&self, jobs: &[Job<ChunkStored>]) -> Vec<Outcome> {
        let filled = |chunk| Self::STAGE.announce(&GamesFilled(chunk));
        self.0.fill::<Games, _>(jobs, |message| message.0, filled).await
    }

    fn dead_letters(&self) -> &dyn DeadLetterStore {
        self.0.store()
    }

    async fn give_up(
        &self,
        message: &ChunkStored,
        failure: &Failure,
        dead_letter: &DeadLetter,
    ) -> Result<Vec<Announcement>, Failure> {
        work::give_up_on_chunk(self.0.store(), message.0, failure, dead_letter, self.0.now()).await
    }

    fn status_reporter(&self) -> Option<&dyn StatusReporter> {
        Some(self.0.store())
    }

    async fn ready(&self) -> Result<(), Failure> {
        self.0.ready().await
    }

    fn duties(self: Arc<Self>, _announcer: Announcer) -> Vec<Duty> {
        vec![work::token_validation(self.0.helix().clone())]
    }
}

/// Games, as they are asked for and kept.
struct Games;

impl Catalogue for Games {
    const KIND: Kind = Kind::Game;
    const SHARED: bool = true;
    type Id = GameId;
    type Item = Game;

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
