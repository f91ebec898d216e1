//! The channel-enricher: learns the channels of chunks that are not in `twitch_channel`, or not fresh, a hundred a call.
//!
//! A second delivery is harmless: it finds every channel fresh, changes nothing and announces the chunk again.

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
    schema::{Channel, ChannelId, ChannelsFilled, ChunkRef, GamesFilled, Missing},
    store::{self, Kind, Store},
    topology::{Announcement, CHANNEL_ENRICHER, Stage},
    work::{self, Catalogue, Enricher, EnricherSettings},
    worker_state::StatusReporter,
};

/// The channel-enricher's settings.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    #[command(flatten)]
    database: Database,
    #[command(flatten)]
    twitch: Twitch,
    #[command(flatten)]
    enricher: EnricherSettings,
    /// How long what is known of a channel counts as fresh; 0 asks for every channel of every pull
    #[arg(long, env, default_value = "24h", value_name = "DURATION", value_parser = work::parse_age)]
    channel_max_age: Duration,
}

/// The worker.
#[derive(Debug)]
pub struct ChannelEnricher(Enricher);

impl ChannelEnricher {
    /// Makes the worker; calls nobody yet.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, SetupError> {
        let database = &settings.database;
        let store = Store::new(&database.url()?, database.database_connections, "channel-enricher")?;
        let helix = Client::new(&settings.twitch, Arc::new(store.clone()), clock.clone())?;
        Ok(Self::of(store, helix, clock, settings.enricher.clone(), settings.channel_max_age))
    }

    /// The worker, of its parts; what is known of a channel counts as fresh for `max_age`.
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

impl Worker for ChannelEnricher {
    type In = GamesFilled;
    type Out = ChannelsFilled;

    const STAGE: Stage<GamesFilled, ChannelsFilled> = CHANNEL_ENRICHER;

    async fn handle(&self, jobs: &[Job<GamesFilled>]) -> Vec<Outcome> {
        let filled = |chunk| Self::STAGE.announce(&ChannelsFilled(chunk));
        self.0.fill::<Channels, _>(jobs, |message| message.0, filled).await
    }

    fn dead_letters(&self) -> &dyn DeadLetterStore {
        self.0.store()
    }

    async fn give_up(
        &self,
        message: &GamesFilled,
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

/// Channels, as they are asked for and kept.
struct Channels;

impl Catalogue for Channels {
    const KIND: Kind = Kind::Channel;
    const SHARED: bool = false;
    type Id = ChannelId;
    type Item = Channel;

    fn id(channel: &Channel) -> &str {
        channel.id.as_str()
    }

    async fn ask(helix: &Client, ids: &[ChannelId]) -> Result<Batch<ChannelId, Channel>, helix::Error> {
        helix.users(ids).await
    }

    async fn keep(
        store: &Store,
        found: Vec<&Channel>,
        missing: &[Missing],
        seen: ChunkRef,
        now: DateTime<Utc>,
    ) -> Result<(), store::Error> {
        store.keep_channels(found, missing, seen, now).await
    }
}
