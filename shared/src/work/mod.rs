//! What several programs do alike: ask Twitch in full batches, give up on a chunk, keep the token valid, repeat a pull.

mod credentials;
mod ending;
mod enrich;
mod rerun;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;

pub use credentials::token_validation;
pub use ending::{give_up_on_chunk, give_up_on_pull};
pub use enrich::{Catalogue, Enricher, EnricherSettings, parse_age};
pub use rerun::rerun;

/// A name that no other replica has, for what it holds while it works.
pub fn replica_name(clock: &Clock) -> String {
    static REPLICAS: AtomicU64 = AtomicU64::new(0);
    let number = REPLICAS.fetch_add(1, Ordering::Relaxed);
    format!("{}-{}-{number}", std::process::id(), clock.now().timestamp_micros())
}
