//! The client itself; what it can ask for is in the files of the endpoints.

use std::sync::Arc;

use super::{BudgetView, app::App, http::Http};
use crate::{
    clock::Clock,
    config::{ConfigError, Twitch},
    token_store::TokenStore,
};

/// The client. Cheap to clone: clones share connections, token and budget.
#[derive(Debug, Clone)]
pub struct Client(pub(super) Arc<Http>);

impl Client {
    /// A client for the app and the addresses in `config`, which keeps its token in `token_store`. Calls nobody yet.
    pub fn new(config: &Twitch, token_store: Arc<dyn TokenStore>, clock: Clock) -> Result<Self, ConfigError> {
        let app = App {
            client_id: config.client_id()?,
            client_secret: config.client_secret()?,
            api_url: config.twitch_api_url.clone(),
            token_url: config.twitch_token_url.clone(),
            ca_bundle: config.twitch_ca_bundle.clone(),
        };
        Self::of(app, token_store, clock)
    }

    pub(super) fn of(app: App, token_store: Arc<dyn TokenStore>, clock: Clock) -> Result<Self, ConfigError> {
        Http::new(app, token_store, clock).map(|http| Self(Arc::new(http)))
    }

    /// How many Helix calls were made so far, with the failed and the repeated ones. Calls for tokens are none.
    pub fn calls(&self) -> u64 {
        self.0.calls()
    }

    /// What is thought to be in the point budget now.
    pub fn budget(&self) -> BudgetView {
        self.0.budget()
    }
}
