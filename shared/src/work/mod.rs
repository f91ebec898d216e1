//! What several programs do alike: ask Twitch in full batches, give up on a chunk, keep the token valid, replay.

mod archive;
mod credentials;
mod ending;
mod enrich;
mod readmit;
mod replay;

pub use archive::{discard, import, restore};
pub use credentials::keep_validated;
pub use ending::{give_up_on_chunk, give_up_on_pull};
pub use enrich::{Catalogue, Enricher, EnricherSettings};
pub use readmit::{Entered, Readmission, count_readmission, readmit};
pub use replay::{Canary, Order, Replay, finish_interrupted, replay};
