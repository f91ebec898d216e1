//! Warnings of libraries, on standard error. `RUST_LOG` shows more.

use std::io::stderr;

use shared::{config::ConfigError, runtime::log_levels};
use tracing_subscriber::filter::LevelFilter;

/// Starts logging. Fails if `RUST_LOG` cannot be used.
pub(crate) fn init() -> Result<(), ConfigError> {
    tracing_subscriber::fmt()
        .with_env_filter(log_levels(LevelFilter::WARN)?)
        .with_writer(stderr)
        .with_target(false)
        .without_time()
        .init();
    Ok(())
}
