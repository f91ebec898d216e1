//! `GET /oauth2/validate`: whether Twitch still honours the token. <https://dev.twitch.tv/docs/authentication/validate-tokens/>
//!
//! Twitch asks apps to do this when they start and every hour. Costs no point. A sibling of the token endpoint.

use std::sync::Arc;

use super::{Client, Error, reply, token::Token};

impl Client {
    /// Asks whether the token is good; replaces it, once, if it is not.
    pub async fn validate_token(&self) -> Result<(), Error> {
        self.0.insist(|token| self.validate(token)).await
    }

    async fn validate(&self, token: Arc<Token>) -> Result<(), Error> {
        let request =
            self.0.client.get(self.0.validate_url.clone()).header("authorization", token.header("OAuth"));
        let response = request.send().await.map_err(|error| Error::unreachable("validate", error))?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(reply::error("validate", response, token.secret()).await)
    }
}
