//! One connection to PostgreSQL, driven by a task of its own, and what a failed call says.

use std::{error::Error as _, future::poll_fn, io};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task::JoinHandle,
};
use tokio_postgres::{AsyncMessage, Client, Config, Connection as Driver, NoTls, error::SqlState};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::sqlstate;
use crate::dial::{Heard, chain};

/// A connection, driven by a task of its own.
pub(super) struct Connected {
    pub(super) client: Client,
    pub(super) driver: JoinHandle<()>,
    /// News of each notification, to those who listen; it ends with the session.
    pub(super) notified: watch::Receiver<()>,
}

/// Connects to one address of one server, encrypted where `tls` is given.
pub(super) async fn connect(
    config: &Config,
    tls: Option<&MakeRustlsConnect>,
) -> Result<Connected, tokio_postgres::Error> {
    let (notify, notified) = watch::channel(());
    if let Some(tls) = tls {
        let (client, driver) = config.connect(tls.clone()).await?;
        Ok(Connected { client, driver: tokio::spawn(drive(driver, notify)), notified })
    } else {
        let (client, driver) = config.connect(NoTls).await?;
        Ok(Connected { client, driver: tokio::spawn(drive(driver, notify)), notified })
    }
}

/// Moves a session's bytes until it ends. Whoever uses it hears of its end, and says so.
async fn drive<S, T>(mut driver: Driver<S, T>, notify: watch::Sender<()>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| driver.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notification(_)) => drop(notify.send(())),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!("a session with PostgreSQL has ended: {}", chain(&error));
                return;
            }
        }
    }
}

/// What a failed call says of the other side, and why it failed.
pub(super) fn heard(error: &tokio_postgres::Error) -> (Heard, String) {
    if let Some(refusal) = error.as_db_error() {
        let full = *refusal.code() == SqlState::TOO_MANY_CONNECTIONS;
        return (if full { Heard::Full } else { Heard::Refusal }, sqlstate::words(refusal));
    }
    let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match io {
        // In tokio-postgres' own words; it has no other way to tell.
        Some(io) if io.to_string() == "database does not allow writes" => (
            Heard::Refusal,
            "it is read-only, and target_session_attrs asks for one that takes writes".into(),
        ),
        _ => (io.map_or(Heard::Trouble, Heard::in_io), chain(error)),
    }
}
