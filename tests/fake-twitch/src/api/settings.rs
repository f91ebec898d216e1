//! How the world is served: for whom, under which path, how fast, how often.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::Endpoint;

/// What a server of the world is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The path of the API's base; slashes around it are optional.
    pub prefix: String,
    /// The one client there is.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The size of its point bucket, as the headers tell it.
    pub limit: u32,
    /// The points that really flow back each minute.
    pub refill: u32,
    /// How long a token is valid.
    pub token_lifetime: Duration,
    /// How long answers take.
    pub latency: Latency,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            prefix: "/helix/".into(),
            client_id: "fake-client-id".into(),
            client_secret: "fake-client-secret".into(),
            limit: 800,
            refill: 800,
            token_lifetime: Duration::from_secs(5_011_271),
            latency: Latency::default(),
        }
    }
}

impl Settings {
    /// The prefix with exactly one slash at either end.
    pub(crate) fn base(&self) -> String {
        match self.prefix.trim_matches('/') {
            "" => "/".to_owned(),
            path => format!("/{path}/"),
        }
    }
}

/// How long answers take, by endpoint.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    everywhere: Duration,
    single: HashMap<Endpoint, Duration>,
}

impl Latency {
    /// The same everywhere.
    pub fn of(everywhere: Duration) -> Self {
        Self { everywhere, single: HashMap::new() }
    }

    /// Another one on this endpoint.
    #[must_use]
    pub fn on(mut self, endpoint: Endpoint, latency: Duration) -> Self {
        self.single.insert(endpoint, latency);
        self
    }

    pub(crate) fn at(&self, endpoint: Endpoint) -> Duration {
        self.single.get(&endpoint).copied().unwrap_or(self.everywhere)
    }
}
