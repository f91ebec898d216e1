//! Warnings of libraries, on standard error; `RUST_LOG` shows more. Those of commands that carry out work are written down as well.

use std::io::stderr;

use shared::{
    config::ConfigError,
    failure::Class,
    runtime::{collect_events, log_levels},
};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt, LevelFilter, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::error::Error;

/// What a person is told at the end of a command, and need not read twice.
const ENDED: &str = "operator::ended";

/// Starts logging, and collecting warnings and errors of `program`. Fails if `RUST_LOG` cannot be used.
pub(crate) fn init(program: &'static str) -> Result<(), ConfigError> {
    let levels = log_levels(LevelFilter::WARN)?.and(filter_fn(|about| about.target() != ENDED));
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr).with_target(false).without_time();
    tracing_subscriber::registry().with(collect_events(program)).with(lines.with_filter(levels)).init();
    Ok(())
}

/// Writes down why a command failed, unless it was a wrong command line, or there is no database to write it to.
pub(crate) fn ended(error: &Error) {
    let failure = error.failure();
    let away =
        failure.is_some_and(|failure| failure.class == Class::Outage && failure.code.starts_with("store."));
    if !away && !matches!(error, Error::Usage(_) | Error::Config(_)) {
        let code = failure.map(|failure| failure.code);
        tracing::warn!(target: ENDED, code, "a command failed: {error}");
    }
}
