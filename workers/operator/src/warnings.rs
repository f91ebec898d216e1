//! Warnings of the libraries beneath, on standard error. A person's tool is silent otherwise; `RUST_LOG` opens it.

use std::io::stderr;

use shared::{config::ConfigError, runtime::log_levels};
use tracing_subscriber::filter::LevelFilter;

/// Starts it; a command says in its own words when the broker is away. Fails where `RUST_LOG` cannot be used.
pub(crate) fn init() -> Result<(), ConfigError> {
    tracing_subscriber::fmt()
        .with_env_filter(log_levels(LevelFilter::WARN)?)
        .with_writer(stderr)
        .with_target(false)
        .without_time()
        .init();
    Ok(())
}
