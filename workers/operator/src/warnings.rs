//! Warnings of the libraries beneath, on standard error. A person's tool is silent otherwise; `RUST_LOG` opens it.

use std::io::stderr;

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// Starts it. lapin's own errors stay out: a command says in its own words when the broker is away.
pub(crate) fn init() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .from_env_lossy()
        .add_directive("lapin=off".parse().unwrap_or_default());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_target(false)
        .without_time()
        .init();
}
