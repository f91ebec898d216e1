//! A connection, and the news of its end and of its being blocked.
//!
//! lapin never answers a request that is made just as its connection breaks: it rejects what waits when the connection
//! ends, and what is put down a moment later waits for ever. And a connection that only publishes may end while nobody
//! uses it. So whatever waits for the broker, or for work that needs it, waits through [`Connection::unless_severed`], and a
//! question that should be answered at once through [`Connection::ask`].

use std::{io, net::SocketAddr, time::Duration};

use futures::StreamExt;
use lapin::{
    ConnectionProperties, ConnectionState, ErrorKind, Event,
    tcp::AsyncTcpStream,
    types::LongString,
    uri::{AMQPScheme, AMQPUri},
};
use tokio::{sync::watch, time::timeout};

use super::{amqp_url::Address, error::BrokerError};
use crate::dial::{DialError, FailedCall, Heard, place, resolve};

/// How long all addresses together may be tried: less than a session may take to open.
const PATIENCE: Duration = Duration::from_secs(9);
/// How long the broker may take to answer a question. On a blocked connection it never does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to the broker.
pub(in crate::runtime) struct Connection {
    amqp: lapin::Connection,
    /// Why it ended, once it has.
    end: watch::Receiver<Option<lapin::Error>>,
    /// Why the broker reads nothing that is published on it, while that is so.
    blocked: watch::Receiver<Option<String>>,
}

impl Connection {
    /// Connects to whichever node of the broker takes it; `role` tells the connections of a program apart in the broker's
    /// lists. Every node is tried at every address of it, and a dead one costs its share of the patience only.
    pub(in crate::runtime) async fn open(
        address: &Address,
        program: &str,
        role: &str,
    ) -> Result<Self, DialError> {
        let mut failed = DialError::default();
        let mut targets = Vec::new();
        for (number, host, port) in address.nodes() {
            match resolve(host, port).await {
                Ok(found) => targets.extend(found.into_iter().map(|target| (number, host, target))),
                Err(call) => failed.push(call),
            }
        }
        let share = u32::try_from(targets.len()).ok().and_then(|count| PATIENCE.checked_div(count));
        let share = address.timeout().or(share).unwrap_or(PATIENCE);
        for (number, host, target) in targets {
            match timeout(share, call(address, host, target, share, &format!("{program} {role}"))).await {
                Ok(Ok(connection)) => {
                    address.worked(number);
                    return Ok(Self::on(connection));
                }
                Ok(Err(error)) => {
                    let (heard, cause) = heard(&error);
                    failed.push(FailedCall { place: place(host, target), heard, cause });
                }
                Err(_) => {
                    let cause = format!("no answer within {share:?}");
                    failed.push(FailedCall { place: place(host, target), heard: Heard::Nobody, cause });
                }
            }
        }
        Err(failed)
    }

    /// Listens for the end of a connection.
    fn on(amqp: lapin::Connection) -> Self {
        let mut events = amqp.events_listener();
        let (tell, end) = watch::channel(None);
        let (tell_blocked, blocked) = watch::channel(None);
        if !amqp.status().connected() {
            tell.send_replace(Some(closed()));
        }
        let status = amqp.status().clone();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    Event::ConnectionBlocked(why) => drop(tell_blocked.send_replace(Some(why))),
                    Event::ConnectionUnblocked => drop(tell_blocked.send_replace(None)),
                    // lapin tells of the errors of channels here as well; they end no connection.
                    Event::Error(error) if !status.connected() => {
                        tell.send_replace(Some(error));
                        return;
                    }
                    _ => {}
                }
            }
        });
        Self { amqp, end, blocked }
    }

    /// As lapin knows it.
    pub(in crate::runtime) fn amqp(&self) -> &lapin::Connection {
        &self.amqp
    }

    /// Closes it in the orderly way; what is not acknowledged on it goes back to its queue.
    pub(in crate::runtime) async fn close(&self) {
        // One that is gone already needs no closing.
        let closed = self.unless_severed(self.amqp.close(200, "stopping".into()));
        let _ = timeout(Duration::from_secs(2), closed).await;
    }

    /// Whether it can still be used.
    pub(in crate::runtime) fn is_alive(&self) -> bool {
        self.end.borrow().is_none() && self.amqp.status().connected()
    }

    /// Why the broker reads nothing that is published on it, while that is so: short of memory, or of disk.
    pub(in crate::runtime) fn blocked(&self) -> watch::Receiver<Option<String>> {
        self.blocked.clone()
    }

    /// Awaits the answer to a question; fails when the connection has ended, or when no answer comes in time.
    pub(in crate::runtime) async fn ask<T>(
        &self,
        question: impl Future<Output = T>,
    ) -> Result<T, BrokerError> {
        let answer = timeout(ANSWER_TIMEOUT, self.unless_severed(question)).await;
        Ok(answer.map_err(|_| BrokerError::Timeout)??)
    }

    /// Awaits what needs this connection; fails, and drops it, as soon as the connection has ended.
    pub(in crate::runtime) async fn unless_severed<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, lapin::Error> {
        let mut end = self.end.clone();
        tokio::select! {
            biased;
            done = work => Ok(done),
            ended = end.wait_for(Option::is_some) => {
                Err(ended.ok().and_then(|error| error.clone()).unwrap_or_else(closed))
            }
        }
    }
}

/// Connects to a node at one of its addresses, which lapin would choose by itself and tell of the last only.
async fn call(
    address: &Address,
    host: &str,
    target: SocketAddr,
    share: Duration,
    name: &str,
) -> Result<lapin::Connection, lapin::Error> {
    let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
    // Fails only when a provider is installed already, and any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = lapin::runtime::default_runtime()?;
    let tls = address.tls();
    let uri = address.uri(host, target.port());
    // Nobody stops the thread in which lapin awaits this.
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let connect = async move |uri: AMQPUri, runtime| {
        let stream = async {
            let stream = AsyncTcpStream::connect(&runtime, target).await?;
            match uri.scheme {
                AMQPScheme::AMQP => Ok(stream),
                AMQPScheme::AMQPS => stream.into_tls(&uri.authority.host, tls.as_ref()).await,
            }
        };
        timeout(share, stream).await.unwrap_or_else(|_| Err(late())).map_err(lapin::Error::from)
    };
    lapin::Connection::connector(uri, runtime, connect, properties).await
}

/// What a failed call says of the other side, and why it failed.
fn heard(error: &lapin::Error) -> (Heard, String) {
    match error.kind() {
        ErrorKind::ProtocolError(refusal) => (Heard::Refusal, refusal.get_message().to_string()),
        ErrorKind::IOError(error) => (Heard::in_io(error), error.to_string()),
        _ => (Heard::Trouble, error.to_string()),
    }
}

fn closed() -> lapin::Error {
    ErrorKind::InvalidConnectionState(ConnectionState::Closed).into()
}
