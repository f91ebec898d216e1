//! The messages from stage to stage, in past-tense events. Beside them are `records_rejected` and `pull_event`, which are
//! for whoever listens.
//!
//! Messages carry keys of rows, never the rows: PostgreSQL is the truth, the queue is the to-do list. Each has a kind
//! and a version in its body. Changing one means thinking of those still in a queue: add optional fields, or raise the
//! version and keep reading the one before. `tests/suite/golden/messages` holds each one's JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::id::{ChunkRef, PullId};

/// Something that can be said.
pub trait Message: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Its name on the wire, also the routing key.
    const KIND: &'static str;
    /// The version written, and the highest understood.
    const VERSION: u32 = 1;

    /// A name of this very announcement. The same work announced again has the same name, which is how a second
    /// delivery can be recognised. At most 255 bytes.
    fn id(&self) -> String;
}

/// A pull was asked for: its row exists, and its pages are to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullRequested {
    /// The pull.
    pub pull_id: PullId,
}

impl Message for PullRequested {
    const KIND: &'static str = "pull-requested";

    fn id(&self) -> String {
        format!("{}/{}", Self::KIND, self.pull_id)
    }
}

macro_rules! chunk_message {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub ChunkRef);

        impl Message for $name {
            const KIND: &'static str = $kind;

            fn id(&self) -> String {
                format!("{}/{}/{}", Self::KIND, self.0.pull_id, self.0.chunk)
            }
        }
    };
}

chunk_message! {
    /// A page was validated and its streams are stored.
    ChunkStored, "chunk-stored"
}
chunk_message! {
    /// Every game of a chunk is known, or known to be missing.
    GamesFilled, "games-filled"
}
chunk_message! {
    /// Every channel of a chunk is known and fresh, or known to be missing.
    ChannelsFilled, "channels-filled"
}
