//! Which request it was that led to a message, however many hands it went through.
//!
//! Every message carries a `traceparent` (<https://www.w3.org/TR/trace-context/>), whether anybody collects spans or not.
//! What is announced because of a message continues that message's trace; retries, dead letters and replays stay in it.
//! Whatever has no cause, or one that cannot be read, begins a trace: that is never an error.

use std::collections::BTreeMap;

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator},
    trace::{SpanContext, TraceContextExt, TraceFlags, TraceState},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{IdGenerator, RandomIdGenerator},
};

/// Longest header that is read, in bytes: what collectors add in `tracestate` is passed on, and need not be.
const LONGEST: usize = 512;

/// A place in a trace.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::runtime) struct Trace(pub(in crate::runtime) SpanContext);

impl Trace {
    /// A trace of its own. Whoever collects spans further on is asked to do so.
    pub(in crate::runtime) fn begin() -> Self {
        let ids = RandomIdGenerator::default();
        let (trace, span) = (ids.new_trace_id(), ids.new_span_id());
        Self(SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default()))
    }

    /// The place that a context names, if it names one.
    pub(in crate::runtime) fn of(context: &Context) -> Option<Self> {
        let place = context.span().span_context().clone();
        place.is_valid().then_some(Self(place))
    }

    /// Where a message belongs, if it says so in words that can be read.
    pub(in crate::runtime) fn read(properties: &BasicProperties) -> Option<Self> {
        let context =
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers::of(properties));
        Self::of(&context)
    }

    /// The properties, with this place in them.
    pub(in crate::runtime) fn put(&self, properties: &BasicProperties) -> BasicProperties {
        let mut headers = Headers::of(properties);
        TraceContextPropagator::new().inject_context(&self.context(), &mut headers);
        properties.clone().with_headers(FieldTable::from(headers.0))
    }

    /// For whoever is called from this place.
    pub(in crate::runtime) fn context(&self) -> Context {
        Context::new().with_remote_span_context(self.0.clone())
    }
}

/// A message's headers, as a propagator reads and writes them.
struct Headers(BTreeMap<ShortString, AMQPValue>);

impl Headers {
    fn of(properties: &BasicProperties) -> Self {
        Self(properties.headers().as_ref().map(|headers| headers.inner().clone()).unwrap_or_default())
    }
}

impl Extractor for Headers {
    fn get(&self, name: &str) -> Option<&str> {
        let text = match self.0.get(name)? {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok()?,
            AMQPValue::ShortString(text) => text.as_str(),
            _ => return None,
        };
        (text.len() <= LONGEST).then_some(text)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(ShortString::as_str).collect()
    }
}

impl Injector for Headers {
    fn set(&mut self, name: &str, value: String) {
        // A trace without a state takes away the state of the trace that was here before.
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.into(), AMQPValue::LongString(value.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn carrying(headers: &[(&str, AMQPValue)]) -> BasicProperties {
        let headers: BTreeMap<_, _> =
            headers.iter().map(|(name, value)| (ShortString::from(*name), value.clone())).collect();
        BasicProperties::default().with_headers(headers.into())
    }

    fn text(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    #[test]
    fn a_place_is_written_as_it_was_read() {
        let told = carrying(&[("traceparent", text(PARENT)), ("tracestate", text("a=1,b@c=2"))]);
        let trace = Trace::read(&told).unwrap();
        assert_eq!(trace.put(&BasicProperties::default()), told);
    }

    #[test]
    fn another_trace_takes_over_all_headers_but_those_of_the_trace() {
        let told =
            carrying(&[("mine", text("kept")), ("traceparent", text(PARENT)), ("tracestate", text("a=1"))]);
        let other = Trace::begin();
        let written = other.put(&told);
        assert_eq!(Trace::read(&written), Some(other));
        let headers = written.headers().clone().unwrap();
        assert_eq!(
            headers.inner().keys().map(ShortString::as_str).collect::<Vec<_>>(),
            ["mine", "traceparent"]
        );
    }

    #[test]
    fn what_cannot_be_read_is_no_place() {
        for wrong in [
            text(""),
            text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"),
            text("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
            text("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            AMQPValue::LongString(vec![0xff; 55].into()),
            AMQPValue::LongUInt(7),
        ] {
            assert_eq!(Trace::read(&carrying(&[("traceparent", wrong.clone())])), None, "{wrong:?}");
        }
        assert_eq!(Trace::read(&BasicProperties::default()), None);
    }

    #[test]
    fn a_state_that_is_too_long_is_not_passed_on() {
        let long = format!("a={},b={}", "x".repeat(256), "y".repeat(256));
        let told = carrying(&[("traceparent", text(PARENT)), ("tracestate", text(&long))]);
        let written = Trace::read(&told).unwrap().put(&BasicProperties::default());
        assert_eq!(written, carrying(&[("traceparent", text(PARENT))]));
    }

    #[test]
    fn every_beginning_is_another() {
        assert_ne!(Trace::begin().0.trace_id(), Trace::begin().0.trace_id());
    }
}
