//! The words of the system: ids, messages and the PullData document. Knows no queue, SQL or HTTP.

mod catalogue;
mod codec;
mod document;
mod id;
mod message;
mod pull_event;
mod pull_status;
mod record;
mod records_rejected;
mod rejected;
mod rule;
mod shape;

pub use catalogue::{Absence, Channel, Game, Missing};
pub use codec::{DecodeError, decode, encode};
pub use document::{CHANNEL_KEYS, GAME_KEYS, Record};
pub use id::{ChannelId, ChunkRef, GameId, InvalidId, PullId, StreamId};
pub use message::{ChannelsFilled, ChunkStored, GamesFilled, Message, PullRequested};
pub use pull_event::{PullClosed, PullExported};
pub use pull_status::{PullStatus, StopReason};
pub use record::{Validated, validate};
pub use records_rejected::RecordsRejected;
pub use rejected::Rejected;
pub use rule::Rule;
pub use shape::{JsonType, OddShape, Shapes};
