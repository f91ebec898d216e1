//! Spans for whoever collects them: OTLP over HTTP, from a thread of its own that nobody waits for.
//!
//! The queue to that thread is bounded, and what does not fit is dropped. A collector that cannot be reached costs one
//! warning. What OpenTelemetry's own variables say of headers, sampling and batches holds: `OTEL_EXPORTER_OTLP_HEADERS`,
//! `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, `OTEL_RESOURCE_ATTRIBUTES`.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use clap::Args;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter as OtlpExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanData, SpanExporter},
};
use tokio::sync::oneshot;
use url::Url;

use crate::{
    config::{ConfigError, http_url},
    version::VERSION,
};

/// What all our programs are together.
const SYSTEM: &str = "twitch-pull";
/// As many as a worker may have in hand: a span that handles them all is linked to each.
const MOST_LINKS: u32 = 512;
/// How long the last spans may take to leave.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Where spans go.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Traces (OpenTelemetry)")]
pub struct Export {
    /// Base URL of a collector that takes OTLP over HTTP, such as `http://localhost:4318`; without it nothing is collected
    #[arg(long, env, value_name = "URL", hide_env_values = true, value_parser = http_url)]
    otel_exporter_otlp_endpoint: Option<Url>,
    /// What the program is called there; without it, `twitch-pull-` and its name
    #[arg(long, env, value_name = "NAME")]
    otel_service_name: Option<String>,
}

/// Collected spans on their way out, if there is a way.
#[derive(Debug, Clone, Default)]
pub(in crate::runtime) struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Opens the way these settings name, for `program`. Calls nobody yet.
    pub(in crate::runtime) fn open(export: &Export, program: &'static str) -> Result<Self, ConfigError> {
        let Some(base) = &export.otel_exporter_otlp_endpoint else { return Ok(Self::default()) };
        // Fails only when a provider is installed already, and any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let endpoint = format!("{}/v1/traces", base.as_str().trim_end_matches('/'));
        let builder = OtlpExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        let exporter = builder.with_endpoint(endpoint).build().map_err(|error| ConfigError::Unusable {
            name: "OTEL_EXPORTER_OTLP_ENDPOINT".into(),
            why: format!("there can be no exporter of traces: {error}"),
        })?;
        let processor = BatchSpanProcessor::builder(Outspoken::new(exporter)).build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource(export, program))
            .with_max_links_per_span(MOST_LINKS)
            .with_span_processor(processor)
            .build();
        Ok(Self(Some(provider)))
    }

    /// What makes spans to be sent this way.
    pub(in crate::runtime) fn tracer(&self) -> Option<SdkTracer> {
        self.0.as_ref().map(|provider| provider.tracer(SYSTEM))
    }

    /// Sends what is still here, and closes the way.
    pub(in crate::runtime) async fn close(self) {
        let Some(provider) = self.0 else { return };
        let (tell, closed) = oneshot::channel();
        // Not one of the runtime's threads: those are waited for when it ends, however late it is.
        std::thread::spawn(move || {
            if let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
                tracing::warn!("the last spans are lost: {error}");
            }
            // Nobody may be waiting any more.
            let _ = tell.send(());
        });
        let _ = closed.await;
    }
}

/// Who we are.
fn resource(export: &Export, program: &'static str) -> Resource {
    let name = export.otel_service_name.clone().unwrap_or_else(|| format!("{SYSTEM}-{program}"));
    let instance = format!("{program}/{}/{}", super::super::message::headers::host(), std::process::id());
    Resource::builder()
        .with_service_name(name)
        .with_attributes([
            KeyValue::new("service.namespace", SYSTEM),
            KeyValue::new("service.version", VERSION),
            KeyValue::new("service.instance.id", instance),
        ])
        .build()
}

/// An exporter that says once that it cannot deliver, and once that it can again.
#[derive(Debug)]
struct Outspoken<E> {
    exporter: E,
    failing: AtomicBool,
}

impl<E> Outspoken<E> {
    fn new(exporter: E) -> Self {
        Self { exporter, failing: AtomicBool::new(false) }
    }
}

impl<E: SpanExporter> SpanExporter for Outspoken<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        match self.exporter.export(batch).await {
            Ok(()) if self.failing.swap(false, Ordering::Relaxed) => {
                tracing::info!("the collector of traces takes spans again");
            }
            Err(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(spans, "the collector of traces does not take spans, which are lost: {error}");
            }
            _ => {}
        }
        // It is told already.
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
