//! What turns a handler into a worker: consume, handle, publish confirmed, acknowledge; retry, pause, dead-letter.
//!
//! Only this module publishes, acknowledges, retries and dead-letters. It knows the topology and no more of the
//! business than [`Worker`] tells it. The order is always: the handler's database commit, then a confirmed publish,
//! then the acknowledgement. A crash anywhere leads to a second delivery, never to a loss.
//!
//! [`message`] is what a message carries beside its body, [`broker`] speaks to RabbitMQ, [`consumer`] is the state machine of
//! a stage, and [`process`] all that a program needs around it.

mod broker;
mod consumer;
mod message;
mod orders;
mod process;
mod retry;
mod settings;
mod status;
mod supervise;
mod verdict;
mod worker;

pub use broker::{
    amqp_url::check_url,
    announcer::Announcer,
    dead_letter_queue::{DeadLetterQueue, Resend},
    depth::QueueDepth,
    edit::QueuedMessage,
    error::BrokerError,
    inspection::{Difference, Inspection},
    management::unbound,
    older_builds::understand_older_builds,
    publish_error::PublishError,
    rejects::Rejects,
};
pub use message::{headers::header, properties_json::check_properties};
pub use process::{
    duties::{Duty, every, perform, scheduled, sharing, standing},
    events::recording_events,
    logs::{collect_events, log_levels},
    program::{Cli, main},
    service::{Service, serve_main},
    traces::Export,
    troubles::Troubles,
};
pub use settings::Settings;
pub use supervise::run;
pub use verdict::{Verdict, verdict};
pub use worker::{Job, Outcome, Step, Worker};
