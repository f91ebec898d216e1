//! How enrichers collect.

use std::time::Duration;

use clap::Args;

/// How an enricher collects.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Asking Twitch")]
pub struct EnricherSettings {
    /// How long a chunk may wait for others before fewer than 100 ids are requested
    #[arg(long, env, default_value = "1s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub collect_for: Duration,
    /// When to ask again for what Twitch did not know
    #[arg(long, env, default_value = "1h", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub missing_retry_after: Duration,
}

/// Reads a limit of age, where `0` stands for none at all: what is known is never fresh.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|error| error.to_string())
}
