//! The wish to stop, as SIGTERM and SIGINT express it.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled by SIGTERM or SIGINT, also where this is process 1 of a container. A second signal changes nothing: what is
/// in hand has until the shutdown deadline.
pub(in crate::runtime) fn on_signals() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: finishing what is in hand"),
            _ = interrupt.recv() => tracing::info!("SIGINT: finishing what is in hand"),
        }
        told.cancel();
    });
    Ok(stop)
}
