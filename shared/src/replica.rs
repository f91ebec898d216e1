//! Telling replicas apart.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;

/// A name that no other replica has, for what it holds while it works.
pub fn replica_name(clock: &Clock) -> String {
    static REPLICAS: AtomicU64 = AtomicU64::new(0);
    let number = REPLICAS.fetch_add(1, Ordering::Relaxed);
    format!("{}-{}-{number}", std::process::id(), clock.now().timestamp_micros())
}
