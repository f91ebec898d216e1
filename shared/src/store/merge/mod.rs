//! Merging: stream, game and channel become the rows of `pull_data`, each written once.
//!
//! The chunks are locked first, so of two who merge one at once the second finds it merged. What they need is read by one
//! query a table, joined here, and written by one COPY. COPY knows no conflicts: where a stream is there already, because
//! its chunk is merged once more, the rows are inserted, or written over.

mod chunks;
mod lookup;
mod row;
mod write;

pub use chunks::Merged;
pub(super) use row::{Channel, rows};
