//! What an event says, and what the spans around it say it is about: for whoever writes events down.

use std::fmt::Debug;

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

/// What is taken over from the spans around an event; whatever else a span knows is for traces.
const SCOPE: [&str; 5] = ["stage", "pull", "chunk", "attempt", "trace"];

/// Remembers what each span says of [`SCOPE`]; [`fields`] finds it.
pub(in crate::runtime) struct SpanScopes;

/// What a span says that its events take over.
#[derive(Default)]
struct Scope(Map<String, Value>);

impl Scope {
    fn add(&mut self, record: impl FnOnce(&mut dyn Visit)) {
        let mut fields = Fields::default();
        record(&mut fields);
        self.0.extend(fields.0.into_iter().filter(|(name, _)| SCOPE.contains(&name.as_str())));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SpanScopes {
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
}

/// The fields of an event, its message among them, and those of [`SCOPE`] from the spans around it.
pub(super) fn fields<S: Subscriber + for<'a> LookupSpan<'a>>(
    event: &Event<'_>,
    context: &Context<'_, S>,
) -> Map<String, Value> {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let Fields(mut fields) = fields;
    // The innermost span knows best, and the event better.
    for span in context.event_scope(event).into_iter().flatten() {
        if let Some(Scope(scope)) = span.extensions().get::<Scope>() {
            for (name, value) in scope {
                fields.entry(name.as_str()).or_insert_with(|| value.clone());
            }
        }
    }
    fields
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
