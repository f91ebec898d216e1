//! Traces: which request it was that led to a message, however many hands it went through.
//!
//! Every message carries a `traceparent`, as <https://www.w3.org/TR/trace-context/> writes it, whether anybody collects
//! spans or not. What is announced because of a message continues that message's trace; retries, dead letters and
//! replays stay in it. Whatever has no cause, or one that cannot be read, begins a trace: that is never an error.
//!
//! Where spans are collected (`export`), a delivery is a span from the moment it is in hand until it is settled. Handled
//! together, several are linked to the span of the handling and not its parents: they may come from many traces.

use std::str::FromStr;

use lapin::{
    BasicProperties,
    message::Delivery,
    types::{AMQPValue, FieldTable, ShortString},
};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use ring::rand::{SecureRandom, SystemRandom};
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    dead_letter::{self, Subject},
    headers,
};
use crate::topology::{Announcement, StageInfo};

/// The header that carries the trace.
pub(super) const TRACEPARENT: &str = "traceparent";
/// The header that carries what the trace's collectors want to know beside it. Passed on, never looked into.
const TRACESTATE: &str = "tracestate";
/// Longest of these that is passed on.
const LONGEST_STATE: usize = 512;

/// A place in a trace.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trace(SpanContext);

impl Trace {
    /// A trace of its own. Whoever collects spans further on is asked to do so.
    pub(super) fn begin() -> Self {
        let mut random = [0; 24];
        // Without randomness the ids are as they are: they only tell traces apart.
        let _ = SystemRandom::new().fill(&mut random);
        let (trace, span) = random.split_at(16);
        let number = |bytes: &[u8]| bytes.iter().fold(0u128, |number, byte| number << 8 | u128::from(*byte));
        let span = u64::try_from(number(span)).unwrap_or_default();
        // Zero is the one that is not allowed.
        Self::at(number(trace).max(1), span.max(1), TraceFlags::SAMPLED, TraceState::default())
    }

    fn at(trace: u128, span: u64, flags: TraceFlags, state: TraceState) -> Self {
        Self(SpanContext::new(TraceId::from(trace), SpanId::from(span), flags, true, state))
    }

    /// Where a message belongs, if it says so in words that can be read.
    pub(super) fn of(properties: &BasicProperties) -> Option<Self> {
        let headers = properties.headers().as_ref()?;
        let state = dead_letter::text(headers, TRACESTATE).filter(|state| state.len() <= LONGEST_STATE);
        let state = state.and_then(|state| TraceState::from_str(&state).ok()).unwrap_or_default();
        Self::parse(&dead_letter::text(headers, TRACEPARENT)?, state)
    }

    fn parse(text: &str, state: TraceState) -> Option<Self> {
        let mut fields = text.split('-');
        let mut field = |digits| fields.next().and_then(|field| hexadecimal(field, digits));
        let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        // A later version may say more after this, and the first one may not.
        if version == 0xff || (version == 0 && fields.next().is_some()) || trace == 0 || span == 0 {
            return None;
        }
        let flags = TraceFlags::new(u8::try_from(flags).ok()?) & TraceFlags::SAMPLED;
        Some(Self::at(trace, u64::try_from(span).ok()?, flags, state))
    }

    /// The place of a span, where spans are collected.
    fn of_span(span: &Span) -> Option<Self> {
        let context = span.context().span().span_context().clone();
        context.is_valid().then_some(Self(context))
    }

    /// The properties, with this place in them.
    pub(super) fn put(&self, properties: &BasicProperties) -> BasicProperties {
        let mut headers = FieldTable::default();
        for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
            if name.as_str() != TRACESTATE {
                headers.insert(name.clone(), value.clone());
            }
        }
        let context = &self.0;
        let flags = context.trace_flags().to_u8();
        let parent = format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id());
        headers.insert(TRACEPARENT.into(), AMQPValue::LongString(parent.into()));
        let state = context.trace_state().header();
        if !state.is_empty() {
            headers.insert(TRACESTATE.into(), AMQPValue::LongString(state.into()));
        }
        properties.clone().with_headers(headers)
    }
}

/// A number of exactly so many hexadecimal digits, written small.
fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let small = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let sound = text.len() == digits && text.bytes().all(small);
    sound.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// What is done for a message: its span, and its place in a trace.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) span: Span,
    pub(super) trace: Trace,
}

/// The scope of a delivery that `stage` takes from `queue`.
pub(super) fn delivered(stage: StageInfo, queue: &str, delivery: &Delivery) -> Scope {
    let properties = &delivery.properties;
    let subject = Subject::of(&delivery.data);
    let span = info_span!(
        parent: None,
        "process",
        otel.name = format!("{queue} process"),
        otel.kind = "consumer",
        otel.status_code = Empty,
        error.type = Empty,
        stage = stage.name,
        pull = subject.pull_id,
        chunk = subject.chunk,
        attempt = headers::failed_attempts(properties) + 1,
        trace = Empty,
        messaging.system = "rabbitmq",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = queue,
        messaging.message.id = properties.message_id().as_ref().map(ShortString::as_str),
    );
    let cause = Trace::of(properties);
    if let Some(Trace(cause)) = &cause {
        // Fails where no spans are collected, which is fine.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(cause.clone()));
        if dead_letter::replayed(properties).is_some() {
            span.add_link(cause.clone());
        }
    }
    let trace = Trace::of_span(&span).or(cause).unwrap_or_else(Trace::begin);
    span.record("trace", tracing::field::display(trace.0.trace_id()));
    Scope { span, trace }
}

/// The span of handling deliveries of `stage` together; that of the delivery itself where there is one.
pub(super) fn handled_together<'a>(stage: StageInfo, scopes: impl Iterator<Item = &'a Scope>) -> Span {
    let scopes: Vec<&Scope> = scopes.collect();
    if let [one] = scopes[..] {
        return one.span.clone();
    }
    // Where all belong to one trace, lines about the whole can be found by it.
    let traces = scopes.iter().map(|scope| scope.trace.0.trace_id());
    let common = scopes.first().map(|scope| scope.trace.0.trace_id());
    let common = common.filter(|first| traces.clone().all(|trace| trace == *first));
    let span = info_span!(
        parent: None,
        "process",
        otel.name = format!("{} process", stage.queue()),
        otel.kind = "consumer",
        stage = stage.name,
        trace = common.map(tracing::field::display),
        messaging.system = "rabbitmq",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = stage.queue(),
        messaging.batch.message_count = scopes.len(),
    );
    if let Some(Trace(batch)) = Trace::of_span(&span) {
        for scope in scopes {
            span.add_link(scope.trace.0.clone());
            scope.span.add_link(batch.clone());
        }
    }
    span
}

/// The scope of an announcement that no message caused: a trace begins.
pub(super) fn begun(announcement: &Announcement) -> Scope {
    let route = announcement.route;
    let span = info_span!(
        parent: None,
        "publish",
        otel.name = format!("{} publish", route.key),
        otel.kind = "producer",
        messaging.system = "rabbitmq",
        messaging.operation.name = "publish",
        messaging.operation.type = "send",
        messaging.destination.name = route.exchange,
        messaging.message.id = announcement.id,
    );
    let trace = Trace::of_span(&span).unwrap_or_else(Trace::begin);
    Scope { span, trace }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn carrying(header: AMQPValue) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert(TRACEPARENT.into(), header);
        BasicProperties::default().with_headers(headers)
    }

    fn header(properties: &BasicProperties, name: &str) -> Option<String> {
        dead_letter::text(properties.headers().as_ref().unwrap(), name)
    }

    #[test]
    fn a_place_is_written_as_it_was_read() {
        let mut properties = carrying(AMQPValue::LongString(SOUND.into()));
        let mut headers = properties.headers().clone().unwrap();
        headers.insert(TRACESTATE.into(), AMQPValue::LongString("a=1,b@c=2".into()));
        properties = properties.with_headers(headers);
        let trace = Trace::of(&properties).unwrap();
        let written = trace.put(&BasicProperties::default());
        assert_eq!(header(&written, TRACEPARENT).as_deref(), Some(SOUND));
        assert_eq!(header(&written, TRACESTATE).as_deref(), Some("a=1,b@c=2"));
        let other = Trace::begin().put(&properties);
        assert_eq!(header(&other, TRACESTATE), None, "what was said of another trace is not said of this");
    }

    #[test]
    fn what_cannot_be_read_is_no_place() {
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0ż-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::of(&carrying(AMQPValue::LongString(wrong.into()))), None, "{wrong:?}");
        }
        assert_eq!(Trace::of(&carrying(AMQPValue::LongUInt(7))), None);
        assert_eq!(Trace::of(&BasicProperties::default()), None);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-more";
        let trace = Trace::of(&carrying(AMQPValue::LongString(later.into()))).unwrap();
        let written = trace.put(&BasicProperties::default());
        assert_eq!(header(&written, TRACEPARENT).as_deref(), Some(SOUND));
    }

    #[test]
    fn every_beginning_is_another() {
        let (one, other) = (Trace::begin(), Trace::begin());
        assert_ne!(one.0.trace_id(), other.0.trace_id());
        assert_eq!(Trace::of(&one.put(&BasicProperties::default())), Some(one));
    }
}
