//! The token, validated at the start and every hour, as Twitch asks of those who keep one.
//!
//! Source: <https://dev.twitch.tv/docs/authentication/validate-tokens/>.

use std::time::Duration;

use tokio::time::sleep;

use crate::{failure::Failure, helix::Client, runtime::Stop};

const EVERY: Duration = Duration::from_hours(1);

/// Validates the token until told to stop. What is wrong is said, and left to the calls that need the token.
pub async fn keep_validated(helix: Client, stop: Stop) {
    while !stop.is_requested() {
        match helix.validate_token().await {
            Ok(()) => tracing::info!("Twitch honours the token"),
            Err(error) => {
                let failure = Failure::from(error);
                tracing::warn!(class = %failure.class, code = failure.code, "the token is not validated: {failure}");
            }
        }
        tokio::select! {
            () = stop.requested() => {}
            () = sleep(EVERY) => {}
        }
    }
}
