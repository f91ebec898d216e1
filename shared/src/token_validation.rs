//! The token, validated at the start and every hour, as Twitch asks of those who keep one.
//!
//! Source: <https://dev.twitch.tv/docs/authentication/validate-tokens/>.

use std::time::Duration;

use crate::{
    helix::Client,
    runtime::{Duty, every},
};

const EVERY: Duration = Duration::from_hours(1);

/// The duty to validate the token. What is wrong is told, and left to the calls that need the token.
pub fn token_validation(helix: Client) -> Duty {
    every(EVERY, "token-validation", move || {
        let helix = helix.clone();
        async move {
            helix.validate_token().await?;
            tracing::debug!("Twitch honours the token");
            Ok(())
        }
    })
}
