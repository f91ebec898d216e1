//! Dead letters as a person deals with them: replayed, discarded, restored, imported; and rejected records let in after all.
//!
//! Table and queue are kept in step: what is done is noted in the table first. Knows the store and the runtime.

mod archive;
mod duties;
mod interrupted;
mod order;
mod reconcile;
mod replay;
mod revalidate;
mod sending;

pub use archive::{discard, import, restore};
pub use duties::duties;
pub use interrupted::finish_interrupted;
pub use order::{Canary, Operation, Order};
pub use replay::{Replay, replay, replay_for};
pub use revalidate::{Entered, Revalidation, count_revalidation, revalidate};
