//! Where a row comes from, or why there is none: what the tables tell of one stream, channel, game, chunk or pull.
//!
//! Nothing here is written for it alone but `provenance`, which says what each stage did with a chunk and by which build. The
//! rest is in the chunk itself (the page, what was rejected or a duplicate, and at which place), in the dead letters, in
//! `pull_rerun` and in `pull_history`.

mod catalogue;
mod chunk;
mod find;
mod model;
mod page;
mod pull;
mod stream;

pub use catalogue::{CatalogueTrace, Missing};
pub use find::Sighting;
pub use model::{
    Absence, Difference, PullFacts, Rejection, StoredStream, StreamTrace, TraceStep, Whereabouts,
};
pub use pull::{PullAttempt, PullTrace, StageWork};
