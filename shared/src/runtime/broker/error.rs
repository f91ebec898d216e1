//! What can go wrong with the broker, and the class of each.

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPSoftError},
};

use crate::{
    dial::DialError,
    failure::{Class, Failure},
};

/// What can go wrong with the broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The URL cannot be used, and why. It is a secret, so it is not shown.
    #[error("AMQP_URL cannot be used: {0}")]
    Url(String),
    /// No connection within the time.
    #[error("RabbitMQ did not answer in time")]
    Timeout,
    /// No node of the URL takes a connection.
    #[error("{}", if .0.refused() { "RabbitMQ was reached, but refused the connection" } else { "RabbitMQ cannot be reached" })]
    Dial(#[from] DialError),
    /// The connection broke.
    #[error("RabbitMQ closed the connection")]
    Connection(#[from] lapin::Error),
    /// A queue or exchange is there with other arguments, which cannot be changed in place.
    #[error(
        "{name} cannot be declared: {reason}. Drain it, delete it, and start again; or run the build that made it"
    )]
    Declare {
        /// The queue or exchange.
        name: String,
        /// What RabbitMQ says: which argument, and both values.
        reason: String,
    },
    /// A queue or exchange is not there, and this user may not declare it.
    #[error("{0} is not there, and this user may not declare it: `operator topology --declare` does")]
    Absent(String),
}

impl From<BrokerError> for Failure {
    fn from(error: BrokerError) -> Self {
        let (class, code) = match error {
            BrokerError::Url(_) => (Class::Permanent, "broker.setup"),
            BrokerError::Declare { .. } => (Class::Permanent, "broker.declare"),
            BrokerError::Absent(_) => (Class::Outage, "broker.absent"),
            BrokerError::Dial(ref failed) if failed.refused() => (Class::Outage, "broker.login_refused"),
            BrokerError::Timeout | BrokerError::Connection(_) | BrokerError::Dial(_) => {
                (Class::Outage, "broker.unreachable")
            }
        };
        Self::of(class, code, &error)
    }
}

/// Whether the broker has closed a channel, and for this reason.
pub(super) fn is_soft(error: &lapin::Error, wanted: &AMQPSoftError) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(refusal)
        if matches!(refusal.kind(), AMQPErrorKind::Soft(soft) if soft == wanted))
}
