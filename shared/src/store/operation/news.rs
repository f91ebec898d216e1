//! Hearing and telling of changes.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};
use tokio_postgres::{Client, GenericClient};

use super::super::{Error, Store};

/// The channel on which changes are notified; the payload is nothing to rely on.
const CHANNEL: &str = "operation";

impl Store {
    /// Listens for news of operations, on a session of its own.
    pub async fn operation_news(&self) -> Result<OperationNews, Error> {
        let (session, notified) = self.pool.manager().listener(CHANNEL).await?;
        Ok(OperationNews { _session: session, notified })
    }
}

/// A session that hears of every change of an operation.
#[derive(Debug)]
pub struct OperationNews {
    _session: Client,
    notified: watch::Receiver<()>,
}

impl OperationNews {
    /// Waits for a change, at most for so long; one that happened since the last wait counts.
    ///
    /// # Errors
    /// [`Error::SessionEnded`] once the session has ended.
    pub async fn wait(&mut self, longest: Duration) -> Result<(), Error> {
        match timeout(longest, self.notified.changed()).await {
            Ok(Err(_)) => Err(Error::SessionEnded),
            _ => Ok(()),
        }
    }
}

pub(super) async fn notify(client: &impl GenericClient) -> Result<(), Error> {
    let sql = "/* operation::notify */ select pg_notify($1, '')";
    client.query_one(sql, &[&CHANNEL]).await?;
    Ok(())
}
