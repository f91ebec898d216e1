//! A collector of traces: takes OTLP over HTTP, and keeps what it is sent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span as Wire, span::SpanKind},
};
use prost::Message;
use tokio::{net::TcpListener, task::JoinHandle};

/// A span, as the tests speak of it. Ids are hexadecimal.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Trace and span of each.
    pub(crate) links: Vec<(String, String)>,
}

impl Span {
    pub(crate) fn is(&self, attribute: &str, value: &str) -> bool {
        self.attributes.get(attribute).is_some_and(|found| found == value)
    }

    fn new(service: &str, span: Wire) -> Self {
        let kind = span.kind();
        Self {
            service: service.to_owned(),
            trace: hexadecimal(&span.trace_id),
            id: hexadecimal(&span.span_id),
            parent: hexadecimal(&span.parent_span_id),
            name: span.name,
            kind,
            attributes: span.attributes.into_iter().map(|pair| (pair.key.clone(), text(pair))).collect(),
            links: span
                .links
                .iter()
                .map(|link| (hexadecimal(&link.trace_id), hexadecimal(&link.span_id)))
                .collect(),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn text(pair: KeyValue) -> String {
    match pair.value.and_then(|AnyValue { value }| value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

type Spans = Arc<Mutex<Vec<Span>>>;

/// The collector. Gone when dropped.
pub(crate) struct Collector {
    address: String,
    spans: Spans,
    serving: JoinHandle<()>,
}

impl Collector {
    pub(crate) async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let spans = Spans::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&spans));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, spans, serving }
    }

    /// What a program is told, so that it sends its spans here, and soon.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![("OTEL_EXPORTER_OTLP_ENDPOINT", self.address.clone()), ("OTEL_BSP_SCHEDULE_DELAY", "100".into())]
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(spans): State<Spans>, body: Bytes) -> StatusCode {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    for of_one in request.resource_spans {
        let attributes = of_one.resource.map(|resource| resource.attributes).unwrap_or_default();
        let service = attributes.into_iter().find(|pair| pair.key == "service.name").map(text);
        let service = service.expect("a service has a name");
        let sent = of_one.scope_spans.into_iter().flat_map(|scope| scope.spans);
        let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans.extend(sent.map(|span| Span::new(&service, span)));
    }
    StatusCode::OK
}
