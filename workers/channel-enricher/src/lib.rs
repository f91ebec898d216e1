//! The channel-enricher: learns the channels of chunks that are not in `twitch_channel`, or not fresh, a hundred a call.
//!
//! A second delivery is harmless: it finds every channel fresh, changes nothing and announces the chunk again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use shared::{
    clock::Clock,
    config::{Database, SetupError, Twitch},
    enrichment::{Catalogue, Enricher, EnricherSettings, parse_age},
    helix::{self, Batch, Client},
    schema::{Channel, ChannelId, ChannelsFilled, ChunkRef, GamesFilled, Missing},
    store::{self, Kind, Store},
    topology::{CHANNEL_ENRICHER, Stage},
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
    #[arg(long, env, default_value = "24h", value_name = "DURATION", value_parser = parse_age)]
    channel_max_age: Duration,
}

/// The worker.
pub type ChannelEnricher = Enricher<Channels>;

/// Makes the worker; calls nobody yet.
pub fn worker(settings: &Settings, clock: Clock) -> Result<ChannelEnricher, SetupError> {
    let Settings { database, twitch, enricher, channel_max_age } = settings;
    Enricher::new(database, twitch, enricher.clone(), *channel_max_age, clock)
}

/// Channels, as they are asked for and kept.
#[derive(Debug)]
pub struct Channels;

impl Catalogue for Channels {
    const STAGE: Stage<GamesFilled, ChannelsFilled> = CHANNEL_ENRICHER;
    const KIND: Kind = Kind::Channel;
    const SHARED: bool = false;
    type In = GamesFilled;
    type Out = ChannelsFilled;
    type Id = ChannelId;
    type Item = Channel;

    fn chunk(message: &GamesFilled) -> ChunkRef {
        message.0
    }

    fn filled(chunk: ChunkRef) -> ChannelsFilled {
        ChannelsFilled(chunk)
    }

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
