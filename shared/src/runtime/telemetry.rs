//! What a program tells while it runs: log lines, one JSON object each, or pretty for a person at a terminal; levels by
//! `RUST_LOG`.

use std::io::{IsTerminal, stderr};

use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use super::line::Lines;
use crate::config::LogFormat;

/// Starts logging to standard error. lapin repeats as errors what the supervisor reports in its own words.
pub(super) fn init(format: Option<LogFormat>) {
    let levels = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy()
        .add_directive("lapin=off".parse().unwrap_or_default());
    let pretty = format.map_or_else(|| stderr().is_terminal(), |format| format == LogFormat::Pretty);
    let lines = if pretty {
        let events = filter_fn(Metadata::is_event).with_max_level_hint(LevelFilter::TRACE);
        let layer = tracing_subscriber::fmt::layer().with_writer(stderr).with_target(false);
        layer.with_filter(levels.and(events)).boxed()
    } else {
        // A panic, too, is a line that can be read by a program.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
        // What a line is about is known at every level.
        Lines.with_filter(levels.or(filter_fn(is_our_span).with_max_level_hint(LevelFilter::INFO))).boxed()
    };
    // Tests start several workers in one process: the first one's format stays.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}

fn is_our_span(about: &Metadata<'_>) -> bool {
    about.is_span() && about.target().starts_with("shared::")
}
