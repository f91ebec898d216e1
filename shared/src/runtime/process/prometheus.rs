//! `/metrics`, beside the probes: what [`crate::metrics`] counts, in Prometheus' text format.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::metrics::{self, DURATION_BOUNDS};

/// One for the process, as the facade it serves is.
static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts counting. A second call changes nothing.
pub(in crate::runtime) fn start(program: &'static str) {
    METRICS.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&DURATION_BOUNDS).ok()?;
        let metrics = builder.install_recorder().ok();
        metrics::begin(program);
        metrics
    });
}

/// All there is to tell, in Prometheus' text format.
pub(in crate::runtime) fn render() -> String {
    METRICS.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}
