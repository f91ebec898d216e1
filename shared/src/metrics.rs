//! What programs count, for Prometheus: every name there is. The table in deploy/observability says the same, which a test compares;
//! dashboards and alert rules use nothing else.
//!
//! Names follow OpenTelemetry's conventions where there are any
//! (<https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/>,
//! <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>), with the spelling of
//! <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>. Labels have few values: stages,
//! endpoints, codes; never an id.

use std::time::Duration;

use ::metrics::{Label, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use chrono::{DateTime, Utc};

use crate::version::VERSION;

/// Deliveries taken in hand, by queue.
pub const CONSUMED: &str = "messaging_client_consumed_messages_total";
/// Messages the broker has confirmed, by exchange, or by queue where no exchange is between.
pub const SENT: &str = "messaging_client_sent_messages_total";
/// How long deliveries were being handled, by queue and code of the failure.
pub const PROCESS_DURATION: &str = "messaging_process_duration_seconds";
/// Calls of Helix, by endpoint and status, or by what kept them from having one.
pub const CALL_DURATION: &str = "http_client_request_duration_seconds";
/// What Twitch's point bucket holds.
pub const POINTS: &str = "helix_points_remaining";
/// Fields of Twitch's answers that were not what Twitch documents, by endpoint and field.
pub const DRIFT: &str = "helix_drift_total";
/// Records of stored pages, by what became of them.
pub const RECORDS: &str = "pull_records_total";
/// Whether a worker pauses.
pub const PAUSED: &str = "worker_paused";
/// Streams of the newest pull that succeeded.
pub const STREAMS: &str = "pull_streams";
/// When the newest pull that succeeded was completed.
pub const LAST_SUCCESS: &str = "pull_last_success_timestamp_seconds";
/// How late the newest scheduled pull was started.
pub const SLOT_LAG: &str = "pull_slot_lag_seconds";
/// For how long the oldest chunk waits for a stage; for the extractor, the oldest pull for its first page, and for the exporter,
/// the oldest pull that is complete.
pub const CHUNK_AGE: &str = "pull_chunk_oldest_age_seconds";
/// For how long the message of a stage fails that has been retried the longest; 0 when none is.
pub const RETRY_AGE: &str = "retry_oldest_age_seconds";
/// Dead letters that lie in a dead-letter queue.
pub const DEAD_LETTERS: &str = "dead_letters";
/// For how long the oldest of them lies there; 0 when there is none.
pub const DEAD_LETTER_OLDEST_AGE: &str = "dead_letter_oldest_age_seconds";
/// Alarms raised by this process.
pub const DEAD_LETTER_ALARMS: &str = "dead_letter_alarms_total";
/// When a background duty last succeeded; 0 until it does.
pub const DUTY_LAST_SUCCESS: &str = "duty_last_success_timestamp_seconds";
/// Runs of a background duty that failed.
pub const DUTY_FAILURES: &str = "duty_failures_total";
/// Who answers.
const BUILD_INFO: &str = "build_info";

/// Upper bounds of durations, in seconds, as the conventions advise, and beyond: a handler has five minutes.
pub const DURATION_BOUNDS: [f64; 17] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 300.0];

/// Tells what each name means, and who `program` is.
pub fn begin(program: &'static str) {
    describe_counter!(CONSUMED, "Deliveries taken in hand");
    describe_counter!(SENT, "Messages the broker has confirmed");
    describe_histogram!(PROCESS_DURATION, "How long deliveries were being handled");
    describe_histogram!(CALL_DURATION, "How long calls of Helix took");
    describe_gauge!(POINTS, "Points in Twitch's bucket, as this process knows it");
    describe_counter!(
        DRIFT,
        "Fields of Twitch's answers that were not what Twitch documents, and were kept empty"
    );
    describe_counter!(RECORDS, "Records of stored pages, by what became of them");
    describe_gauge!(PAUSED, "1 while the worker cannot go on and takes nothing");
    describe_gauge!(STREAMS, "Streams of the newest pull that succeeded");
    describe_gauge!(LAST_SUCCESS, "When the newest pull that succeeded was completed");
    describe_gauge!(SLOT_LAG, "How late the newest scheduled pull was started");
    describe_gauge!(CHUNK_AGE, "For how long the oldest chunk waits for a stage");
    describe_gauge!(RETRY_AGE, "For how long the message fails that has been retried the longest");
    describe_gauge!(DEAD_LETTERS, "Dead letters that lie in a dead-letter queue");
    describe_gauge!(DEAD_LETTER_OLDEST_AGE, "For how long the oldest dead letter lies there");
    describe_counter!(DEAD_LETTER_ALARMS, "Alarms raised by this process");
    describe_gauge!(DUTY_LAST_SUCCESS, "When a background duty last succeeded, 0 until it does");
    describe_counter!(DUTY_FAILURES, "Runs of a background duty that failed");
    describe_gauge!(BUILD_INFO, "Always 1");
    gauge!(BUILD_INFO, "program" => program, "version" => VERSION).set(1.0);
    gauge!(PAUSED).set(0.0);
}

/// A delivery was taken from `queue`.
pub fn consumed(queue: &str) {
    counter!(CONSUMED, "messaging_destination_name" => queue.to_owned()).increment(1);
}

/// The broker has confirmed a message for `destination`.
pub fn sent(destination: &str) {
    counter!(SENT, "messaging_destination_name" => destination.to_owned()).increment(1);
}

/// A delivery from `queue` was in a handler's hands for so long, and failed with the code `error`, or went well.
pub fn processed(queue: &str, took: Duration, error: Option<&'static str>) {
    let mut labels = vec![Label::new("messaging_destination_name", queue.to_owned())];
    labels.extend(error.map(|code| Label::new("error_type", code)));
    histogram!(PROCESS_DURATION, labels).record(took.as_secs_f64());
}

/// A call of Helix took so long, and was answered with `status`, or not at all.
pub fn called(endpoint: &'static str, took: Duration, status: Option<u16>) {
    let outcome = match status {
        Some(status) => Label::new("http_response_status_code", status.to_string()),
        None => Label::new("error_type", "unreachable"),
    };
    let labels = vec![
        Label::new("http_request_method", "GET"),
        Label::new("url_template", format!("/{endpoint}")),
        outcome,
    ];
    histogram!(CALL_DURATION, labels).record(took.as_secs_f64());
}

/// So many points are left.
pub fn points(left: f64) {
    gauge!(POINTS).set(left);
}

/// A field of an answer was not what Twitch documents.
pub fn drifted(endpoint: &'static str, field: &'static str) {
    counter!(DRIFT, "endpoint" => endpoint, "field" => field).increment(1);
}

/// So many records of a stored page were `stored`, a `duplicate`, or rejected by the rule of that name.
pub fn records(outcome: &str, number: u64) {
    counter!(RECORDS, "outcome" => outcome.to_owned()).increment(number);
}

/// Whether the worker pauses.
pub fn paused(paused: bool) {
    gauge!(PAUSED).set(if paused { 1.0 } else { 0.0 });
}

/// A background duty will run; nothing came of it yet.
pub fn duty_listed(duty: &'static str) {
    gauge!(DUTY_LAST_SUCCESS, "duty" => duty).set(0.0);
    counter!(DUTY_FAILURES, "duty" => duty).increment(0);
}

/// A run of a background duty succeeded.
pub fn duty_succeeded(duty: &'static str, now: DateTime<Utc>) {
    let since_1970 = (now - DateTime::UNIX_EPOCH).to_std().unwrap_or_default();
    gauge!(DUTY_LAST_SUCCESS, "duty" => duty).set(since_1970.as_secs_f64());
}

/// A run of a background duty failed.
pub fn duty_failed(duty: &'static str) {
    counter!(DUTY_FAILURES, "duty" => duty).increment(1);
}
