//! What a program counts, for Prometheus: `/metrics` beside the probes.
//!
//! Names and labels are the table in the README; alert rules and dashboards use nothing else.

use std::sync::OnceLock;

use metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Letters that lie in a dead-letter queue, by `queue`.
pub const DEAD_LETTERS: &str = "dead_letters";
/// For how long the oldest of them lies there, in seconds, by `queue`; 0 when there is none.
pub const DEAD_LETTER_OLDEST_AGE: &str = "dead_letter_oldest_age_seconds";
/// Alarms raised by this process, by `queue` and `kind`.
pub const DEAD_LETTER_ALARMS: &str = "dead_letter_alarms_total";
/// Always 1; `program` and `version` say who answers.
const BUILD_INFO: &str = "build_info";

/// One for the process, as the facade it serves is.
static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts counting. A second call changes nothing.
pub(super) fn start(program: &'static str) {
    METRICS.get_or_init(|| {
        let metrics = PrometheusBuilder::new().install_recorder().ok();
        gauge!(BUILD_INFO, "program" => program, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        metrics
    });
}

/// All there is to tell, in Prometheus' text format.
pub(super) fn render() -> String {
    METRICS.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}
