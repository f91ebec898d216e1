//! What the enrichers know how to learn: games, channels.

use std::future::Future;

use chrono::{DateTime, Utc};

use crate::{
    helix::{self, Batch, Client},
    schema::{ChunkRef, Message, Missing},
    store::{self, Kind, Store},
    topology::{Routed, Stage},
};

/// What can be asked for by id and kept: games, channels.
pub trait Catalogue: Send + Sync + 'static {
    /// The stage that fills chunks from it.
    const STAGE: Stage<Self::In, Self::Out>;
    /// Which it is.
    const KIND: Kind;
    /// Whether several chunks of a pull may need the same id, so that replicas have to agree who asks.
    const SHARED: bool;
    /// The message the stage reads.
    type In: Message + Clone;
    /// The message it announces.
    type Out: Routed;
    /// What it is asked for by.
    type Id: TryFrom<String> + AsRef<str> + Clone + Send + Sync;
    /// What comes back.
    type Item: Send + Sync;

    /// The chunk a message is about.
    fn chunk(message: &Self::In) -> ChunkRef;

    /// What is said of a chunk that has all it needs.
    fn filled(chunk: ChunkRef) -> Self::Out;

    /// The id of what came back.
    fn id(item: &Self::Item) -> &str;

    /// Asks Twitch; at most a hundred ids.
    fn ask(
        helix: &Client,
        ids: &[Self::Id],
    ) -> impl Future<Output = Result<Batch<Self::Id, Self::Item>, helix::Error>> + Send;

    /// Keeps answers; `seen` is a chunk that needed them.
    fn keep(
        store: &Store,
        found: Vec<&Self::Item>,
        missing: &[Missing],
        seen: ChunkRef,
        now: DateTime<Utc>,
    ) -> impl Future<Output = Result<(), store::Error>> + Send;
}
