//! Spans, where they are collected ([`super::traces`]): what is done for which message.
//!
//! A delivery is a span from the moment it is in hand until it is settled. Handled together, several are linked to the
//! span of the handling and not its parents: they may come from many traces.

use lapin::{message::Delivery, types::ShortString};
use tracing::{Span, field::Empty, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::super::message::{
    dead_letter::{self, Subject},
    headers,
    trace_context::Trace,
};
use crate::topology::{Announcement, StageInfo};

/// What is done for a message: its span, and its place in a trace.
#[derive(Debug, Clone)]
pub(in crate::runtime) struct Scope {
    pub(in crate::runtime) span: Span,
    pub(in crate::runtime) trace: Trace,
}

/// The scope of a delivery that `stage` takes from `queue`.
pub(in crate::runtime) fn delivered(stage: StageInfo, queue: &str, delivery: &Delivery) -> Scope {
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
    let cause = Trace::read(properties);
    if let Some(cause) = &cause {
        // Fails where no spans are collected, which is fine.
        let _ = span.set_parent(cause.context());
        if dead_letter::replayed(properties).is_some() {
            span.add_link(cause.0.clone());
        }
    }
    let trace = Trace::of(&span.context()).or(cause).unwrap_or_else(Trace::begin);
    span.record("trace", tracing::field::display(trace.0.trace_id()));
    Scope { span, trace }
}

/// The span of handling deliveries of `stage` together; that of the delivery itself where there is one.
pub(in crate::runtime) fn handled_together<'a>(
    stage: StageInfo,
    scopes: impl Iterator<Item = &'a Scope>,
) -> Span {
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
    if let Some(batch) = Trace::of(&span.context()) {
        for scope in scopes {
            span.add_link(scope.trace.0.clone());
            scope.span.add_link(batch.0.clone());
        }
    }
    span
}

/// The scope of an announcement that no message caused: a trace begins.
pub(in crate::runtime) fn begun(announcement: &Announcement) -> Scope {
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
    let trace = Trace::of(&span.context()).unwrap_or_else(Trace::begin);
    Scope { span, trace }
}
