//! Work that would keep other work waiting.

use shared::failure::{Class, Failure};

/// Work that keeps a thread busy, beside those that keep heartbeats.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::new(Class::Transient, "lake.interrupted", error.to_string()))
}
