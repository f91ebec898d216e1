//! The client itself; what it can ask for is in the files of the endpoints.

use std::sync::Arc;

use super::{BudgetView, app::App, http::Http};
use crate::{
    budget_store::BudgetStore,
    clock::Clock,
    config::{ConfigError, Twitch},
    failure::Failure,
    token_store::TokenStore,
};

/// The client. Cheap to clone: clones share connections, token and budget.
#[derive(Debug, Clone)]
pub struct Client(pub(super) Arc<Http>);

impl Client {
    /// A client for the app and the addresses in `config`, which shares its token and its point budget through `store`. Calls
    /// nobody yet.
    pub fn new<S>(config: &Twitch, store: Arc<S>, clock: Clock) -> Result<Self, ConfigError>
    where
        S: TokenStore + BudgetStore + 'static,
    {
        let app = App {
            client_id: config.client_id()?,
            client_secret: config.client_secret()?,
            api_url: config.twitch_api_url.clone(),
            token_url: config.twitch_token_url.clone(),
            ca_bundle: config.twitch_ca_bundle.clone(),
            reserved_points: config.twitch_reserved_points,
        };
        Self::of(app, store, clock)
    }

    pub(super) fn of<S>(app: App, store: Arc<S>, clock: Clock) -> Result<Self, ConfigError>
    where
        S: TokenStore + BudgetStore + 'static,
    {
        Http::new(app, store, clock).map(|http| Self(Arc::new(http)))
    }

    /// How many Helix calls were made so far, with the failed and the repeated ones. Calls for tokens are none.
    pub fn calls(&self) -> u64 {
        self.0.calls()
    }

    /// The point budget as this process has seen it last.
    pub fn budget(&self) -> BudgetView {
        self.0.budget().view()
    }

    /// Whether points are so scarce that a call should not be made before it is worth its point.
    pub async fn points_are_scarce(&self) -> Result<bool, Failure> {
        self.0.budget().is_scarce().await
    }
}
