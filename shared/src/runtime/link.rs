//! A connection, and the news of its end and of its being blocked.
//!
//! lapin never answers a request that is made just as its connection breaks: it rejects what waits when the connection
//! ends, and what is put down a moment later waits for ever. And a connection that only publishes may end while nobody
//! uses it. So whatever waits for the broker, or for work that needs it, waits through [`Link::unless_severed`], and a
//! question that should be answered at once through [`Link::ask`].

use std::time::Duration;

use futures::StreamExt;
use lapin::{Connection, ConnectionProperties, ConnectionState, ErrorKind, Event, types::LongString};
use tokio::{sync::watch, time::timeout};

use super::{address::Address, broker::BrokerError};

/// How long the broker may take to answer a question. On a blocked connection it never does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection to the broker.
pub(super) struct Link {
    connection: Connection,
    /// Why it ended, once it has.
    end: watch::Receiver<Option<lapin::Error>>,
    /// Why the broker reads nothing that is published on it, while that is so.
    blocked: watch::Receiver<Option<String>>,
}

impl Link {
    /// Connects; `role` tells the connections of a program apart in the broker's lists.
    pub(super) async fn open(address: &Address, program: &str, role: &str) -> Result<Self, lapin::Error> {
        let name = LongString::from(format!("{program} {role}"));
        let properties = ConnectionProperties::default().with_connection_name(name);
        // Fails only when a provider is installed already, and any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = lapin::runtime::default_runtime()?;
        let uri = address.uri.clone();
        let connecting = Connection::connect_uri_with_config(uri, properties, address.tls(), runtime);
        let connection = connecting.await?;
        let mut events = connection.events_listener();
        let (tell, end) = watch::channel(None);
        let (tell_blocked, blocked) = watch::channel(None);
        if !connection.status().connected() {
            tell.send_replace(Some(closed()));
        }
        let status = connection.status().clone();
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
        Ok(Self { connection, end, blocked })
    }

    /// The connection itself.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Closes it in the orderly way; what is not acknowledged on it goes back to its queue.
    pub(super) async fn close(&self) {
        // One that is gone already needs no closing.
        let closed = self.unless_severed(self.connection.close(200, "stopping".into()));
        let _ = timeout(Duration::from_secs(2), closed).await;
    }

    /// Whether it can still be used.
    pub(super) fn is_alive(&self) -> bool {
        self.end.borrow().is_none() && self.connection.status().connected()
    }

    /// Why the broker reads nothing that is published on it, while that is so: short of memory, or of disk.
    pub(super) fn blocked(&self) -> watch::Receiver<Option<String>> {
        self.blocked.clone()
    }

    /// Awaits the answer to a question; fails when the connection has ended, or when no answer comes in time.
    pub(super) async fn ask<T>(&self, question: impl Future<Output = T>) -> Result<T, BrokerError> {
        let answer = timeout(ANSWER_TIMEOUT, self.unless_severed(question)).await;
        Ok(answer.map_err(|_| BrokerError::Timeout)??)
    }

    /// Awaits what needs this connection; fails, and drops it, as soon as the connection has ended.
    pub(super) async fn unless_severed<T>(&self, work: impl Future<Output = T>) -> Result<T, lapin::Error> {
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

fn closed() -> lapin::Error {
    ErrorKind::InvalidConnectionState(ConnectionState::Closed).into()
}
