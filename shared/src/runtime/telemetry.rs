//! Log lines: one JSON object each, or pretty for a person at a terminal. Levels by `RUST_LOG`.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::LogFormat;

/// Starts logging to standard error. lapin repeats as errors what the supervisor reports in its own words.
pub fn init(format: Option<LogFormat>) {
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy()
        .add_directive("lapin=off".parse().unwrap_or_default());
    let pretty = format.map_or_else(|| stderr().is_terminal(), |format| format == LogFormat::Pretty);
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(stderr);
    let started = if pretty {
        registry.with(layer.with_target(false)).try_init()
    } else {
        registry
            .with(layer.json().flatten_event(true).with_current_span(true).with_span_list(false))
            .try_init()
    };
    // Tests start several workers in one process: the first one's format stays.
    let _ = started;
}
