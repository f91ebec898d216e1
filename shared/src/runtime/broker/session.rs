//! Connections, and the topology declared on them.
//!
//! lapin's own recovery stays off: it can hang for ever in two ways. Whoever uses a session drops it at the first
//! error and opens another.

use std::{sync::Arc, time::Duration};

use futures::future::try_join_all;
use lapin::{
    Channel, ErrorKind, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    protocol::AMQPSoftError,
    types::{AMQPValue, FieldTable, LongString},
};
use secrecy::SecretString;
use tokio::time::timeout;

use super::{
    super::message::headers::short,
    amqp_url::Address,
    connection::Connection,
    error::{BrokerError, is_soft},
    publisher::Publisher,
};
use crate::{
    clock::Clock,
    failure::Failure,
    topology::{Argument, EXCHANGES, Queue, RetryDelays, StageInfo, queues, queues_of},
};

/// How long connecting may take. A peer that accepts and stays silent would hold us for ever.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long declaring everything may take: quorum queues that are new cost a busy broker a while.
const DECLARE_TIMEOUT: Duration = Duration::from_mins(1);

/// Two connections: when the broker runs short of memory it stops reading from the one that publishes, and the other
/// goes on to deliver, to take acknowledgements and to answer questions. The one that publishes may be made anew; the
/// other one is the session.
pub(in crate::runtime) struct Session {
    pub(in crate::runtime) consume: Arc<Connection>,
    pub(in crate::runtime) publisher: Publisher,
    delays: RetryDelays,
    /// The worker's own stage, where others may be without it.
    optional: Option<StageInfo>,
}

impl Session {
    /// Connects and declares everything, within a bounded time: what every deployment has, and what a worker of a stage that
    /// may be left out needs beside it.
    pub(in crate::runtime) async fn open(
        url: &SecretString,
        delays: &RetryDelays,
        program: &str,
        stage: Option<StageInfo>,
        clock: Clock,
    ) -> Result<Self, BrokerError> {
        let address = Address::parse(url)?;
        let connect = async {
            let consume = Connection::open(&address, program, "consume");
            let publisher = Publisher::open(address.clone(), program, clock, consume).await?;
            let consume = Arc::clone(publisher.connection());
            let optional = stage.filter(|stage| stage.event.is_some());
            Ok::<_, BrokerError>(Self { consume, publisher, delays: delays.clone(), optional })
        };
        let session = timeout(CONNECT_TIMEOUT, connect).await.map_err(|_| BrokerError::Timeout)??;
        session.declare().await?;
        Ok(session)
    }

    /// Declares everything once more, or sees to it that it is there where this user may not declare.
    pub(in crate::runtime) async fn declare(&self) -> Result<(), BrokerError> {
        let connection = self.consume.amqp();
        let declared = self.consume.unless_severed(async {
            let own = self.optional.map_or_else(Vec::new, |stage| queues_of(stage, &self.delays));
            declare(connection, &EXCHANGES, queues(&self.delays)).await?;
            if own.is_empty() { Ok(()) } else { declare(connection, &[], own).await }
        });
        timeout(DECLARE_TIMEOUT, declared).await.map_err(|_| BrokerError::Timeout)??
    }

    /// Awaits work that needs the session; fails, and drops it, as soon as the session has ended.
    pub(in crate::runtime) async fn unless_severed<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.consume.unless_severed(work).await?
    }

    /// Closes both connections in the orderly way; what is not acknowledged goes back to its queue.
    pub(in crate::runtime) async fn close(self) {
        self.consume.close().await;
        self.publisher.close().await;
    }
}

/// Declares these exchanges, queues and their bindings; what is there as it should be stays as it is.
pub(super) async fn declare(
    connection: &lapin::Connection,
    exchanges: &[(&'static str, bool)],
    queues: Vec<Queue>,
) -> Result<(), BrokerError> {
    let mut channel = connection.create_channel().await?;
    for &(name, topic) in exchanges {
        match declare_exchange(&channel, name, topic, false).await {
            Err(error) if may_not(&error) => return verify(connection, exchanges, queues).await,
            declared => declared.map_err(|error| refused(name, error))?,
        }
    }
    // All at once, without waiting for the answer to each, which is enough nearly always; a refusal closes the channel.
    if try_join_all(queues.iter().map(|queue| declare_queue(&channel, queue))).await.is_ok() {
        channel.close(200, "declared".into()).await?;
        return Ok(());
    }
    channel = connection.create_channel().await?;
    for queue in queues {
        let declared = match declare_queue(&channel, &queue).await {
            Err(error) if queue.replaceable && is_soft(&error, &AMQPSoftError::PRECONDITIONFAILED) => {
                // The refusal has closed the channel.
                channel = connection.create_channel().await?;
                replace_queue(&channel, &queue, &error).await
            }
            declared => declared,
        };
        match declared {
            Err(error) if is_on_a_lost_node(&error) => {
                channel = connection.create_channel().await?;
                pass_over(&queue.name, &error);
            }
            declared => declared.map_err(|error| refused(&queue.name, error))?,
        }
    }
    channel.close(200, "declared".into()).await?;
    Ok(())
}

/// Makes a queue anew whose content is a copy of what the database holds: its arguments cannot be changed in place.
async fn replace_queue(channel: &Channel, queue: &Queue, refusal: &lapin::Error) -> Result<(), lapin::Error> {
    let options = QueueDeleteOptions { if_unused: true, ..QueueDeleteOptions::default() };
    let messages = channel.queue_delete(short(&queue.name), options).await?;
    tracing::warn!(
        queue = queue.name,
        messages,
        "{} is made anew, without its {messages} messages, which only repeat what the database holds: {refusal}",
        queue.name
    );
    declare_queue(channel, queue).await
}

/// For a user that may not declare: sees to it that every exchange and queue is there. Their arguments and bindings were
/// compared by whoever declared them.
async fn verify(
    connection: &lapin::Connection,
    exchanges: &[(&'static str, bool)],
    queues: Vec<Queue>,
) -> Result<(), BrokerError> {
    let mut channel = connection.create_channel().await?;
    for &(name, topic) in exchanges {
        declare_exchange(&channel, name, topic, true).await.map_err(|error| absent(name, error))?;
    }
    for Queue { name, .. } in queues {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::durable() };
        match channel.queue_declare(short(&name), passive, FieldTable::default()).await {
            Err(error) if is_on_a_lost_node(&error) => {
                channel = connection.create_channel().await?;
                pass_over(&name, &error);
            }
            found => drop(found.map_err(|error| absent(&name, error))?),
        }
    }
    channel.close(200, "verified".into()).await?;
    Ok(())
}

pub(super) async fn declare_exchange(
    channel: &Channel,
    name: &'static str,
    topic: bool,
    passive: bool,
) -> Result<(), lapin::Error> {
    let kind = if topic { ExchangeKind::Topic } else { ExchangeKind::Direct };
    let options = ExchangeDeclareOptions { durable: true, passive, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await
}

/// Declares a queue without its bindings.
pub(super) async fn declare_queue_alone(channel: &Channel, queue: &Queue) -> Result<(), lapin::Error> {
    channel.queue_declare(short(&queue.name), QueueDeclareOptions::durable(), arguments(queue)).await?;
    Ok(())
}

async fn declare_queue(channel: &Channel, queue: &Queue) -> Result<(), lapin::Error> {
    declare_queue_alone(channel, queue).await?;
    let name = short(&queue.name);
    for (exchange, key) in &queue.bindings {
        let (name, options) = (name.clone(), QueueBindOptions::default());
        channel.queue_bind(name, (*exchange).into(), (*key).into(), options, FieldTable::default()).await?;
    }
    Ok(())
}

fn arguments(queue: &Queue) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, argument) in &queue.arguments {
        let value = match argument {
            Argument::Text(text) => AMQPValue::LongString(LongString::from(text.as_str())),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
        };
        table.insert((*name).into(), value);
    }
    table
}

/// Whether this user lacks the right to declare. RabbitMQ asks for none where a declaration is passive.
fn may_not(error: &lapin::Error) -> bool {
    is_soft(error, &AMQPSoftError::ACCESSREFUSED)
}

/// Whether a queue is there and its node is not. A classic queue is on one node of a cluster only.
fn is_on_a_lost_node(error: &lapin::Error) -> bool {
    is_soft(error, &AMQPSoftError::NOTFOUND) && error.to_string().contains("is down or inaccessible")
}

/// A queue that is away with its node keeps nobody from the others; whoever needs it waits for it.
fn pass_over(name: &str, error: &lapin::Error) {
    tracing::warn!(queue = name, "{name} is not available now: {error}");
}

fn absent(name: &str, error: lapin::Error) -> BrokerError {
    if is_soft(&error, &AMQPSoftError::NOTFOUND) {
        BrokerError::Absent(name.to_owned())
    } else {
        refused(name, error)
    }
}

/// A refusal of this one declaration names the argument and both values; anything else is the connection's trouble. So is
/// an error that closes the whole connection, which is how a broker that shuts down, or is only just up, excuses itself.
fn refused(name: &str, error: lapin::Error) -> BrokerError {
    match error.kind() {
        ErrorKind::ProtocolError(refusal) if is_soft(&error, &AMQPSoftError::PRECONDITIONFAILED) => {
            BrokerError::Declare { name: name.to_owned(), reason: refusal.get_message().to_string() }
        }
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use lapin::protocol::{AMQPError, AMQPHardError};

    use super::*;
    use crate::failure::Class;

    fn class_of(error: AMQPError) -> Class {
        Failure::from(refused("finalizer", ErrorKind::ProtocolError(error).into())).class
    }

    #[test]
    fn only_a_refusal_of_the_declaration_itself_is_for_good() {
        let refusal = AMQPError::new(AMQPSoftError::PRECONDITIONFAILED.into(), "inequivalent arg".into());
        assert_eq!(class_of(refusal), Class::Permanent);
        let away =
            "NOT_FOUND - home node 'rabbit@one' of durable queue 'extractor.dead' is down or inaccessible";
        assert_eq!(class_of(AMQPError::new(AMQPSoftError::NOTFOUND.into(), away.into())), Class::Outage);
        for trouble in [AMQPHardError::CONNECTIONFORCED, AMQPHardError::INTERNALERROR] {
            assert_eq!(class_of(AMQPError::new(trouble.into(), "shutdown".into())), Class::Outage);
        }
    }
}
