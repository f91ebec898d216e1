//! A worker as a process: its start and end, background duties, probes, logs, metrics and traces.

pub(super) mod duties;
pub(super) mod events;
pub(super) mod json_log;
pub(super) mod log_fields;
pub(super) mod log_writer;
pub(super) mod logs;
pub(super) mod probes;
pub(super) mod program;
pub(super) mod prometheus;
pub(super) mod report;
pub(super) mod service;
pub(super) mod shutdown;
pub(super) mod spans;
pub(super) mod traces;
pub(super) mod troubles;
