//! The words of the system: ids, messages and the PullData document. Knows no queue, SQL or HTTP.

mod catalogue;
mod document;
mod id;
mod message;
mod record;

pub use catalogue::{Absence, Channel, Game, Missing};
pub use document::{CHANNEL_KEYS, GAME_KEYS, Record};
pub use id::{ChannelId, ChunkRef, GameId, InvalidId, PullId, StreamId};
pub use message::{
    ChannelsFilled, ChunkStored, DecodeError, GamesFilled, Message, PullClosed, PullRequested, PullStatus,
    RecordsRejected, Rejected, StopReason, decode, encode,
};
pub use record::{Rule, Validated, validate};
