//! RabbitMQ: connections, the topology declared on them, publishing with confirmation, and browsing queues.

pub(super) mod amqp_url;
pub(super) mod announcer;
pub(super) mod browser;
pub(super) mod connection;
pub(super) mod dead_letter_queue;
mod deployed;
pub(super) mod depth;
pub(super) mod edit;
pub(super) mod error;
pub(super) mod inspection;
pub(super) mod management;
pub(super) mod older_builds;
pub(super) mod outgoing;
pub(super) mod publish_error;
pub(super) mod publisher;
pub(super) mod rejects;
pub(super) mod session;
