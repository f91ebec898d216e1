//! The wish to stop, as SIGTERM and SIGINT express it.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Asks every clone of its [`Stop`] to stop; dropping it does the same.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Knows whether to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// A pair of one who asks and one who is asked.
    pub fn new() -> (Stopper, Self) {
        let (sender, receiver) = watch::channel(false);
        (Stopper(sender), Self(receiver))
    }

    /// Asked by SIGTERM or SIGINT, also where this is process 1 of a container.
    pub fn on_signals() -> std::io::Result<Self> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (stopper, stop) = Self::new();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: finishing what is in hand"),
                _ = interrupt.recv() => tracing::info!("SIGINT: finishing what is in hand"),
            }
            stopper.stop();
        });
        Ok(stop)
    }

    /// Returns once it is time to stop.
    pub async fn requested(&self) {
        // An error means the stopper is gone, which is a wish to stop.
        let _ = self.0.clone().wait_for(|stop| *stop).await;
    }

    /// Whether it is time to stop.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

impl Stopper {
    /// Asks to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}
