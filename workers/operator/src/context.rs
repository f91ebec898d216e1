//! What commands work with. Only what a command asks for has to be set, and to be there.

use shared::{
    clock::Clock,
    config::{Broker, Database},
    runtime::{self, Announcer, QueueDepth},
    schema::PullId,
    store::Store,
};

use crate::{cli::PullRef, error::Error, output::Output};

/// Name under which PostgreSQL and RabbitMQ show us.
const PROGRAM: &str = "operator";

/// Settings, and where results go.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where PostgreSQL is.
    pub(crate) database: Database,
    /// Where RabbitMQ is.
    pub(crate) broker: Broker,
    /// All settings, as they may be seen; an error where a secret cannot be had.
    pub(crate) settings: Result<String, String>,
    /// Where results go.
    pub(crate) output: Output,
    /// The time.
    pub(crate) clock: Clock,
}

/// A connection to the broker, which lives as long as this.
pub(crate) struct Connected {
    /// Publishes, and counts.
    pub(crate) announcer: Announcer,
    _session: Box<dyn Send + Sync>,
}

impl Context {
    /// Whether all settings can be used. Calls nobody.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.store()?;
        Ok(runtime::check_url(&self.broker.url()?)?)
    }

    /// The store, not asked anything yet.
    pub(crate) fn store(&self) -> Result<Store, Error> {
        Ok(Store::new(&self.database.url()?, self.database.database_connections, PROGRAM)?)
    }

    /// The store, which answers and has the schema of this build.
    pub(crate) async fn ready_store(&self) -> Result<Store, Error> {
        let store = self.store()?;
        store.check().await?;
        Ok(store)
    }

    /// The broker, connected, with every queue declared.
    pub(crate) async fn connect(&self) -> Result<Connected, Error> {
        let (announcer, session) =
            Announcer::connect(&self.broker.url()?, &self.broker.retry_delays, PROGRAM).await?;
        Ok(Connected { announcer, _session: Box::new(session) })
    }

    /// Every queue, as deep as it is now.
    pub(crate) async fn depths(&self) -> Result<Vec<QueueDepth>, Error> {
        Ok(self.connect().await?.announcer.depths().await?)
    }

    /// The pull that a person means.
    pub(crate) async fn resolve(&self, store: &Store, pull: PullRef) -> Result<PullId, Error> {
        match pull {
            PullRef::Id(id) => Ok(id),
            PullRef::Latest => store.latest_pull().await?.ok_or(Error::NoPulls),
        }
    }
}
