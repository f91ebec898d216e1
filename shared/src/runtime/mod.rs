//! What turns a handler into a worker: consume, handle, publish confirmed, acknowledge; retry, pause, dead-letter.
//!
//! Only this module publishes, acknowledges, retries and dead-letters. It knows the topology and no more of the
//! business than [`Worker`] tells it. The order is always: the handler's database commit, then a confirmed publish,
//! then the acknowledgement. A crash anywhere leads to a second delivery, never to a loss.

mod amqp_url;
mod announcer;
mod broker;
mod broker_error;
mod browser;
mod connection;
mod consumer;
mod dead_letter;
mod dead_letter_queue;
mod duties;
mod fingerprint;
mod headers;
mod json_log;
mod log_writer;
mod logs;
mod older_builds;
mod probes;
mod program;
mod prometheus;
mod properties_json;
mod publisher;
mod rejects;
mod report;
mod retry;
mod settings;
mod shutdown;
mod spans;
mod status;
mod supervise;
mod trace_context;
mod traces;
mod verdict;
mod worker;

pub use amqp_url::check_url;
pub use announcer::Announcer;
pub use broker::QueueDepth;
pub use broker_error::BrokerError;
pub use dead_letter_queue::{DeadLetterQueue, Resend};
pub use duties::{Duty, Troubles, every, perform, scheduled, sharing};
pub use headers::header;
pub use logs::log_levels;
pub use older_builds::understand_older_builds;
pub use program::{Cli, main};
pub use properties_json::check_properties;
pub use publisher::PublishError;
pub use rejects::Rejects;
pub use settings::Settings;
pub use supervise::run;
pub use traces::Export;
pub use verdict::{Verdict, verdict};
pub use worker::{Job, Outcome, Step, Worker};
