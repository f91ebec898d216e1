//! What a program tells while it runs: log lines, one JSON object each, or pretty for a person at a terminal; levels by
//! `RUST_LOG`. And spans, where they are collected, whatever the levels.

use std::io::{IsTerminal, stderr};

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, LevelFilter, filter_fn},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use super::{
    duties,
    events::CollectEvents,
    json_log::{self, JsonLog},
    log_fields::SpanScopes,
    log_writer::{self, LastLines},
    traces::Traces,
};
use crate::config::{self, ConfigError, LogFormat};

/// What is logged, by `RUST_LOG`, or else by `default`. lapin stays silent: it repeats as errors what the supervisor reports in its own words.
pub fn log_levels(default: LevelFilter) -> Result<EnvFilter, ConfigError> {
    let builder = EnvFilter::builder().with_default_directive(default.into());
    let parsed = builder.parse(config::log_levels()?);
    let levels = parsed.map_err(|error| ConfigError::Unusable {
        name: config::LOG_LEVELS.into(),
        why: format!("{error}; or target=level, separated by commas"),
    })?;
    Ok(levels.add_directive("lapin=off".parse().unwrap_or_default()))
}

/// Starts logging to standard error, and collecting the warnings and errors of `program`. What it returns is to be dropped last.
#[must_use]
pub(in crate::runtime) fn init(
    program: &'static str,
    format: Option<LogFormat>,
    levels: EnvFilter,
    traces: &Traces,
) -> LastLines {
    let pretty = format.map_or_else(|| stderr().is_terminal(), |format| format == LogFormat::Pretty);
    let dropped = if pretty { dropped } else { json_log::dropped };
    let (writer, last_lines) = log_writer::non_blocking(stderr(), dropped);
    let lines = if pretty {
        let events = filter_fn(is_event).with_max_level_hint(LevelFilter::TRACE);
        let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
        layer.with_filter(levels.and(events)).boxed()
    } else {
        // A panic, too, is a line that can be read by a program; one of a duty is told with the duty's name.
        std::panic::set_hook(Box::new(|panic| {
            if !duties::keep_panic(panic) {
                tracing::error!("{panic}");
            }
        }));
        // What a line is about is known at every level.
        JsonLog(writer)
            .with_filter(levels.or(filter_fn(is_our_span).with_max_level_hint(LevelFilter::INFO)))
            .boxed()
    };
    let spans = traces.tracer().map(|tracer| {
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        let layer = layer.with_location(false).with_threads(false).with_target(false);
        let told = filter_fn(|about| is_our_span(about) || is_trouble(about));
        layer.with_tracked_inactivity(false).with_filter(told.with_max_level_hint(LevelFilter::INFO))
    });
    // Fails only where somebody logs already.
    let _ = tracing_subscriber::registry().with(collect_events(program)).with(spans).with(lines).try_init();
    last_lines
}

/// Collects the warnings and errors of `program`, whatever is logged, for
/// [`recording_events`](super::events::recording_events).
pub fn collect_events<S: Subscriber + for<'a> LookupSpan<'a>>(program: &'static str) -> impl Layer<S> {
    let scopes = SpanScopes.with_filter(filter_fn(is_our_span).with_max_level_hint(LevelFilter::INFO));
    let persisted = filter_fn(|about| is_our_span(about) || is_persisted(about));
    let events = CollectEvents::of(program).with_filter(persisted.with_max_level_hint(LevelFilter::INFO));
    scopes.and_then(events)
}

/// The line that stands where `count` others were dropped, for a person.
fn dropped(count: usize) -> Vec<u8> {
    format!("WARN {count} log lines were dropped: nobody read them in time\n").into_bytes()
}

/// What is told of a span beside its own end.
fn is_trouble(about: &Metadata<'_>) -> bool {
    about.is_event() && about.target().starts_with("shared::") && *about.level() <= Level::WARN
}

/// What persists, whatever is logged.
fn is_persisted(about: &Metadata<'_>) -> bool {
    about.is_event() && *about.level() <= Level::WARN && !about.target().starts_with("lapin")
}

fn is_event(about: &Metadata<'_>) -> bool {
    about.is_event()
}

fn is_our_span(about: &Metadata<'_>) -> bool {
    about.is_span() && about.target().starts_with("shared::")
}
