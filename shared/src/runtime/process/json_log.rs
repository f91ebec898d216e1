//! A log line: one JSON object, with what it is about at its top level, so that a filter needs no path.
//!
//! First `timestamp`, `level` and `message`; then what the event says, and what it takes over from the spans around it.

use std::io::Write;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::NonBlocking;
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::log_fields;
use crate::clock::Clock;

/// What every line has, and no event can say otherwise.
const OWN: [&str; 3] = ["timestamp", "level", "target"];

/// Writes events as JSON lines.
pub(in crate::runtime) struct JsonLog(pub(in crate::runtime) NonBlocking);

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'a str,
    message: Value,
    #[serde(flatten)]
    fields: Map<String, Value>,
    target: &'a str,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLog {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = log_fields::fields(event, &context);
        fields.retain(|name, _| !OWN.contains(&name.as_str()));
        let about = event.metadata();
        let message = fields.remove("message").unwrap_or_else(|| about.name().into());
        // In one piece. It waits for nobody, and what is dropped is told of later.
        let _ = self.0.clone().write_all(&line(*about.level(), about.target(), message, fields));
    }
}

/// The line that stands where `count` others were dropped.
pub(in crate::runtime) fn dropped(count: usize) -> Vec<u8> {
    let fields = Map::from_iter([("dropped".to_owned(), count.into())]);
    line(
        Level::WARN,
        module_path!(),
        format!("{count} log lines were dropped: nobody read them in time").into(),
        fields,
    )
}

fn line(level: Level, target: &str, message: Value, fields: Map<String, Value>) -> Vec<u8> {
    let timestamp = Clock::System.now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let line = Line { timestamp, level: level.as_str(), message, fields, target };
    let mut line = serde_json::to_vec(&line).unwrap_or_default();
    line.push(b'\n');
    line
}
