//! The client of Twitch's Helix API: what is live, which game, which channel.
//!
//! One endpoint is one file ([`streams`](Client::streams), [`games`](Client::games), [`users`](Client::users)), each
//! with its query, its limits, its reply and a recorded reply as its test. Beneath them are one `get` (`http`), one
//! token for all processes (`token`), one view of the point budget that the client id's processes share (`budget`) and one
//! of whether Twitch works at all (`health`, [`check`](Client::check)).
//!
//! It knows no queue, no table and no pull. It repeats a call at once, and once, where Twitch advises that; everything
//! slower is the caller's business, which learns from the [`Failure`](crate::failure::Failure) what kind of trouble
//! it is and how long to wait. It fails with [`Error`].

mod batch;
mod budget;
mod check;
mod drift;
mod endpoint_url;
mod error;
mod games;
mod health;
mod http;
mod reply;
mod streams;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod users;
mod validate;

use std::{path::PathBuf, sync::Arc};

use secrecy::SecretString;
use url::Url;

pub use self::{batch::Batch, budget::BudgetView, error::Error, streams::StreamsPage};
pub use crate::schema::{Channel, Game};
use crate::{
    clock::Clock,
    config::{ConfigError, Twitch},
    token_store::TokenStore,
};

/// The client. Cheap to clone: clones share connections, token and budget.
#[derive(Debug, Clone)]
pub struct Client(Arc<http::Http>);

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

    fn of(app: App, token_store: Arc<dyn TokenStore>, clock: Clock) -> Result<Self, ConfigError> {
        http::Http::new(app, token_store, clock).map(|http| Self(Arc::new(http)))
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

/// The app we are at Twitch, and where Twitch is.
#[derive(Debug)]
struct App {
    client_id: SecretString,
    client_secret: SecretString,
    /// Base of the API; may carry a path, with or without a slash at its end.
    api_url: Url,
    /// The token endpoint; `validate` is its sibling.
    token_url: Url,
    /// Whom to trust, in the place of the system's authorities.
    ca_bundle: Option<PathBuf>,
}
