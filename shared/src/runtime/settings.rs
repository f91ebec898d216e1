//! What the runtime is told when it starts.

use std::{net::SocketAddr, time::Duration};

use secrecy::SecretString;

use crate::{clock::Clock, topology::RetryDelays};

/// What the runtime needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where RabbitMQ is.
    pub amqp_url: SecretString,
    /// The retry rungs.
    pub delays: RetryDelays,
    /// Where probes are answered.
    pub http_listen: SocketAddr,
    /// How long to finish what is in hand.
    pub shutdown_deadline: Duration,
    /// How long a message may be in hand before it goes back to its queue; far below the broker's `consumer_timeout`.
    pub max_in_hand: Duration,
    /// After so many dead letters in a row with the same cause the stage pauses; 0 never.
    pub pause_after: u32,
    /// The time.
    pub clock: Clock,
}
