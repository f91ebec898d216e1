//! Why a message is not at the broker, and the class of each reason.

use std::time::Duration;

use super::error::BrokerError;
use crate::{
    dial::DialError,
    failure::{Class, Failure},
};

/// How long the broker may take to confirm, unless it says that it blocks publishers.
pub(in crate::runtime) const CONFIRM_TIMEOUT: Duration = Duration::from_secs(30);

/// A message that could not be brought to the broker.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The connection or channel broke.
    #[error("the broker did not take a message")]
    Broker(#[from] lapin::Error),
    /// No node of the broker takes a connection.
    #[error("RabbitMQ takes no connection to publish on")]
    Dial(#[from] DialError),
    /// No confirmation came.
    #[error("the broker did not confirm {to} within {} s: has the queue a leader?", CONFIRM_TIMEOUT.as_secs())]
    Timeout {
        /// The exchange or queue of the first message.
        to: String,
    },
    /// The broker reads nothing that is published.
    #[error("RabbitMQ takes no messages: {0}")]
    Blocked(String),
    /// The broker refused the message.
    #[error("the broker refuses messages for {0}: is the queue at its limit (a policy with max-length)?")]
    Refused(String),
    /// No queue takes the message.
    #[error(
        "no queue takes {id}: the queue of {to} or its binding is gone; `operator topology --declare` declares it again"
    )]
    Unroutable {
        /// The message's id.
        id: String,
        /// Exchange and routing key.
        to: String,
    },
    /// There is no connection, and none came in time.
    #[error("there is no connection to the broker")]
    Disconnected,
}

impl From<BrokerError> for PublishError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Connection(error) => Self::Broker(error),
            BrokerError::Dial(error) => Self::Dial(error),
            _ => Self::Disconnected,
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        let code = match error {
            PublishError::Broker(_) | PublishError::Dial(_) | PublishError::Disconnected => "broker.publish",
            PublishError::Timeout { .. } => "broker.unconfirmed",
            PublishError::Blocked(_) => "broker.blocked",
            PublishError::Refused(_) => "broker.refused",
            PublishError::Unroutable { .. } => "broker.unroutable",
        };
        Self::of(Class::Outage, code, &error)
    }
}
