//! A log line: one JSON object, with what it is about at its top level, so that a filter needs no path.
//!
//! First `timestamp`, `level` and `message`; then what the event says, and from the spans around it [`SCOPE`].

use std::{fmt::Debug, io::Write};

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_appender::non_blocking::NonBlocking;
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use crate::clock::Clock;

/// What a line takes over from the spans around it; whatever else a span knows is for traces.
const SCOPE: [&str; 5] = ["stage", "pull", "chunk", "attempt", "trace"];
/// What every line has, and no event can say otherwise.
const OWN: [&str; 3] = ["timestamp", "level", "target"];

/// Writes events as JSON lines.
pub(in crate::runtime) struct JsonLog(pub(in crate::runtime) NonBlocking);

/// What a span says that lines take over.
#[derive(Default)]
struct Scope(Map<String, Value>);

impl Scope {
    fn add(&mut self, record: impl FnOnce(&mut dyn Visit)) {
        let mut fields = Fields::default();
        record(&mut fields);
        self.0.extend(fields.0.into_iter().filter(|(name, _)| SCOPE.contains(&name.as_str())));
    }
}

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
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut scope = Scope::default();
            scope.add(|fields| attributes.record(fields));
            span.extensions_mut().insert(scope);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(scope) = span.extensions_mut().get_mut::<Scope>()
        {
            scope.add(|fields| values.record(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields(mut fields) = fields;
        fields.retain(|name, _| !OWN.contains(&name.as_str()));
        // The innermost span knows best, and the event better.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(Scope(scope)) = span.extensions().get::<Scope>() {
                for (name, value) in scope {
                    fields.entry(name.as_str()).or_insert_with(|| value.clone());
                }
            }
        }
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

/// Fields, by name.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}"));
    }
}
