//! A Twitch of one's own, for a test or a demonstration.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::api::{Settings, Stats, Twitch, router};
use crate::fault::Faults;
use crate::lock::lock;
use crate::world::World;

/// A running fake Twitch. It stops when dropped.
#[derive(Debug)]
pub struct FakeTwitch {
    twitch: Arc<Twitch>,
    address: SocketAddr,
    /// Dropping it ends the server.
    _stop: oneshot::Sender<()>,
}

impl FakeTwitch {
    /// Serves this world on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start(world: World) -> Self {
        Self::serve(world, Settings::default()).await.expect("127.0.0.1 should have a free port")
    }

    /// Serves this world as told. Fails when the address cannot be had.
    pub async fn serve(world: World, settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let twitch = Arc::new(Twitch::new(world, settings));
        let (stop, stopped) = oneshot::channel::<()>();
        // Without this, small replies wait for the caller's acknowledgement.
        let listener = listener.tap_io(|connection| connection.set_nodelay(true).unwrap_or_default());
        let server = axum::serve(listener, router(Arc::clone(&twitch))).with_graceful_shutdown(async {
            stopped.await.unwrap_or_default();
        });
        tokio::spawn(async { server.await.unwrap_or_default() });
        Ok(Self { twitch, address, _stop: stop })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the server is: scheme, address and port, no slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The API's base, with a slash at the end.
    pub fn api_url(&self) -> String {
        format!("{}{}", self.base_url(), self.twitch.settings.base())
    }

    /// Where tokens are asked for.
    pub fn token_url(&self) -> String {
        format!("{}/oauth2/token", self.base_url())
    }

    /// Where tokens are validated.
    pub fn validate_url(&self) -> String {
        format!("{}/oauth2/validate", self.base_url())
    }

    /// The one client there is.
    pub fn client_id(&self) -> &str {
        &self.twitch.settings.client_id
    }

    /// Its secret.
    pub fn client_secret(&self) -> &str {
        &self.twitch.settings.client_secret
    }

    /// The world served: its truth, its faults, its journal.
    pub fn world(&self) -> &World {
        &self.twitch.world
    }

    /// Changes what goes wrong.
    pub fn faults<T>(&self, change: impl FnOnce(&Faults) -> T) -> T {
        change(&self.twitch.world.faults)
    }

    /// What was asked and answered so far.
    pub fn stats(&self) -> Stats {
        self.twitch.stats()
    }

    /// Counts from zero again.
    pub fn reset_stats(&self) {
        self.twitch.reset_stats();
    }

    /// Every token issued so far: what somebody who looks for leaks has to look for.
    pub fn tokens(&self) -> Vec<String> {
        lock(&self.twitch.tokens).issued().to_vec()
    }

    /// Every token issued becomes invalid.
    pub fn expire_tokens(&self) {
        lock(&self.twitch.tokens).expire();
    }
}
