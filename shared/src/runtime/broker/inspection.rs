//! Looking at the broker without changing it: what is there, what differs from this build's topology, whether it takes
//! messages.

use std::time::Duration;

use lapin::{
    Channel, ErrorKind,
    options::{BasicPublishOptions, QueueDeclareOptions},
    types::FieldTable,
};
use secrecy::SecretString;
use tokio::time::{sleep, timeout};

use super::{
    super::message::headers::short,
    amqp_url::Address,
    connection::Connection,
    deployed::Deployed,
    depth::{self, QueueDepth},
    error::BrokerError,
    session::{declare_exchange, declare_queue_alone},
};
use crate::{
    failure::Failure,
    topology::{EXCHANGES, RetryDelays, queues},
};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a broker may take to say that it takes no messages.
const BLOCKED_WITHIN: Duration = Duration::from_millis(300);

/// A difference between the broker and this build's topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The exchange or queue of that name is not there.
    Missing(String),
    /// A queue is there and not bound as it should be.
    Unbound {
        /// The queue.
        queue: String,
        /// The exchange.
        exchange: &'static str,
        /// The routing key.
        key: &'static str,
    },
    /// It is there with other properties, which cannot be changed in place.
    Differs {
        /// Its name.
        name: String,
        /// What RabbitMQ says: which property, and both values.
        reason: String,
        /// Whether it may be deleted and made again: what is in it only repeats what the database holds.
        replaceable: bool,
    },
    /// It is there, and this user may not compare it.
    Unknown(String),
}

/// A connection that only looks.
pub struct Inspection {
    connection: Connection,
    deployed: Deployed,
    delays: RetryDelays,
}

impl Inspection {
    /// Connects, and declares nothing.
    pub async fn open(url: &SecretString, delays: &RetryDelays, program: &str) -> Result<Self, Failure> {
        let address = Address::parse(url)?;
        let connecting = timeout(CONNECT_TIMEOUT, Connection::open(&address, program, "inspect"));
        let connection = connecting.await.map_err(|_| BrokerError::Timeout)?.map_err(BrokerError::from)?;
        let deployed = Deployed::new(address, program.into());
        Ok(Self { connection, deployed, delays: delays.clone() })
    }

    /// Every queue of the system, as deep as it is now.
    pub async fn depths(&self) -> Result<Vec<QueueDepth>, Failure> {
        let deployed = self.deployed.stages().await?;
        Ok(self.connection.ask(depth::depths(self.connection.amqp(), &self.delays, &deployed)).await??)
    }

    /// What is missing, and what is there with other properties. Bindings cannot be asked for by this protocol.
    ///
    /// What is found is declared once more as it should be, which changes nothing where it is there.
    pub async fn compare(&self) -> Result<Vec<Difference>, Failure> {
        Ok(self.connection.ask(compare(self.connection.amqp(), &self.delays)).await??)
    }

    /// Why the broker takes no messages, if so: it runs short of memory or disk. A message to nowhere finds out.
    pub async fn blocked(&self) -> Result<Option<String>, Failure> {
        let mut blocked = self.connection.blocked();
        let channel = self.connection.amqp().create_channel().await?;
        let (to, options) = (short("nowhere"), BasicPublishOptions::default());
        channel.basic_publish("".into(), to, options, b"", lapin::BasicProperties::default()).await?;
        let told = timeout(BLOCKED_WITHIN, blocked.wait_for(Option::is_some)).await;
        Ok(told.ok().and_then(Result::ok).and_then(|why| why.clone()))
    }

    /// Closes it in the orderly way.
    pub async fn close(self) {
        // A blocked broker answers nothing.
        tokio::select! {
            () = self.connection.close() => {}
            () = sleep(BLOCKED_WITHIN) => {}
        }
    }
}

async fn compare(
    connection: &lapin::Connection,
    delays: &RetryDelays,
) -> Result<Vec<Difference>, lapin::Error> {
    let mut differences = Vec::new();
    let mut channel = connection.create_channel().await?;
    for (name, topic) in EXCHANGES {
        let passive = declare_exchange(&channel, name, topic, true).await;
        let found = match passive {
            Ok(()) => declare_exchange(&channel, name, topic, false).await,
            Err(error) => Err(error),
        };
        note(connection, &mut channel, &mut differences, name, false, found).await?;
    }
    for queue in queues(delays) {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
        let found = channel.queue_declare(short(&queue.name), passive, FieldTable::default()).await;
        let found = match found {
            Ok(_) => declare_queue_alone(&channel, &queue).await,
            Err(error) => Err(error),
        };
        note(connection, &mut channel, &mut differences, &queue.name, queue.replaceable, found).await?;
    }
    channel.close(200, "compared".into()).await?;
    Ok(differences)
}

/// Notes a refusal as a difference, with a new channel in the place of the one that it has closed.
async fn note(
    connection: &lapin::Connection,
    channel: &mut Channel,
    differences: &mut Vec<Difference>,
    name: &str,
    replaceable: bool,
    found: Result<(), lapin::Error>,
) -> Result<(), lapin::Error> {
    let Err(error) = found else { return Ok(()) };
    let name = name.to_owned();
    let difference = match error.kind() {
        ErrorKind::ProtocolError(refusal) => match refusal.kind().get_id() {
            404 => Difference::Missing(name),
            406 => Difference::Differs { name, reason: refusal.get_message().to_string(), replaceable },
            403 => Difference::Unknown(name),
            _ => return Err(error),
        },
        _ => return Err(error),
    };
    differences.push(difference);
    *channel = connection.create_channel().await?;
    Ok(())
}
