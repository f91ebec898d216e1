//! What turns a handler into a worker: consume, handle, publish confirmed, acknowledge; retry, pause, dead-letter.
//!
//! Only this module publishes, acknowledges, retries and dead-letters. It knows the topology and no more of the
//! business than [`Worker`] tells it. The order is always: the handler's database commit, then a confirmed publish,
//! then the acknowledgement. A crash anywhere leads to a second delivery, never to a loss.

mod address;
mod announcer;
mod bookkeeper;
mod broker;
mod browse;
mod consumer;
mod dead_letter_queue;
mod duties;
mod envelope;
mod export;
mod fingerprint;
mod health;
mod letter;
mod line;
mod link;
mod metrics;
mod program;
mod publish;
mod rejects;
mod report;
mod retry;
mod status;
mod stop;
mod supervise;
mod telemetry;
mod trace;
mod typed;
mod verdict;
mod worker;

pub use address::check_url;
pub use announcer::Announcer;
pub use bookkeeper::record_dead_letters;
pub use broker::{BrokerError, QueueDepth};
pub use dead_letter_queue::{DeadLetterQueue, Resend};
pub use duties::{Duty, Troubles, Works, every, lasting, perform, scheduled, sharing};
pub use envelope::header;
pub use export::Export;
pub use program::{Cli, main};
pub use publish::PublishError;
pub use rejects::Rejects;
pub use stop::{Stop, Stopper};
pub use supervise::{Settings, run};
pub use telemetry::log_levels;
pub use typed::check_properties;
pub use verdict::{Verdict, verdict};
pub use worker::{Job, Outcome, Step, Worker};
