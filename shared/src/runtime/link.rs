//! A connection, and the news of its end.
//!
//! lapin never answers a request that is made just as its connection breaks: it rejects what waits when the connection
//! ends, and what is put down a moment later waits for ever. And a connection that only publishes may end while nobody
//! uses it. So whatever waits for the broker, or for work that needs it, waits through [`Link::unless_severed`].

use futures::StreamExt;
use lapin::{Connection, ConnectionProperties, ConnectionState, ErrorKind, Event, types::LongString};
use tokio::sync::watch;

use super::address::Address;

/// A connection to the broker.
pub(super) struct Link {
    connection: Connection,
    /// Why it ended, once it has.
    end: watch::Receiver<Option<lapin::Error>>,
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
        if !connection.status().connected() {
            tell.send_replace(Some(closed()));
        }
        let status = connection.status().clone();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                // lapin tells of the errors of channels here as well; they end no connection.
                if let Event::Error(error) = event
                    && !status.connected()
                {
                    tell.send_replace(Some(error));
                    return;
                }
            }
        });
        Ok(Self { connection, end })
    }

    /// The connection itself.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
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
