//! What commands work with. Only what a command uses must be set and available.

use shared::{
    clock::Clock,
    config::{Broker, Database},
    runtime::{self, Announcer, Inspection, QueueDepth},
    schema::PullId,
    store::Store,
};

use crate::{error::Error, exit::Exit, output::Output, pull_ref::PullRef, warnings};

/// The name under which PostgreSQL and RabbitMQ list this program.
pub(crate) const PROGRAM: &str = "operator";
const NOT_OWNER: &str =
    "this user does not own the tables: use the DATABASE_URL of their owner, as for `operator migrate`";

/// Settings, and where results go.
#[derive(Debug)]
pub(crate) struct Context {
    /// Where PostgreSQL is.
    pub(crate) database: Database,
    /// Where RabbitMQ is.
    pub(crate) broker: Broker,
    /// All settings with secrets hidden; an error if a secret cannot be read.
    pub(crate) settings: Result<String, String>,
    /// The whole command line, for those who describe it.
    pub(crate) command_line: fn() -> clap::Command,
    /// Where results go.
    pub(crate) output: Output,
    /// The clock.
    pub(crate) clock: Clock,
}

/// A connection to the broker, open as long as this lives.
pub(crate) struct Connected {
    /// Publishes messages and counts those in queues.
    pub(crate) announcer: Announcer,
    _session: Box<dyn Send + Sync>,
}

impl Context {
    /// All settings that cannot be used, without connecting.
    pub(crate) fn check(&self) -> Vec<Error> {
        let broker = self.broker.url().map_err(Error::from).and_then(|url| Ok(runtime::check_url(&url)?));
        [self.store().map(drop), broker].into_iter().filter_map(Result::err).collect()
    }

    /// The store, not connected yet.
    pub(crate) fn store(&self) -> Result<Store, Error> {
        Ok(Store::new(&self.database.url()?, self.database.database_connections, PROGRAM)?)
    }

    /// Runs a command that carries out work: what it warns of is an event, as it is of the workers, and so is its failure.
    pub(crate) fn recording<'a>(
        &'a self,
        command: impl Future<Output = Result<Exit, Error>> + 'a,
    ) -> impl Future<Output = Result<Exit, Error>> + 'a {
        // At once, because commands are large.
        let command = Box::pin(command);
        async move {
            // Without settings for it there is no database, and the command says so.
            let Ok(store) = self.store() else { return command.await };
            let command = async { command.await.inspect_err(warnings::ended) };
            runtime::recording_events(Some(&store), PROGRAM, &self.clock, command).await
        }
    }

    /// The store, once it answers and has this build's schema.
    pub(crate) async fn ready_store(&self) -> Result<Store, Error> {
        let store = self.store()?;
        store.check().await?;
        Ok(store)
    }

    /// The same, of the user who owns the tables: for what no program may do.
    pub(crate) async fn owners_store(&self) -> Result<Store, Error> {
        let store = self.ready_store().await?;
        if !store.owns_tables().await? {
            return Err(Error::Failed(NOT_OWNER.to_owned()));
        }
        Ok(store)
    }

    /// The broker, connected, with every queue declared.
    pub(crate) async fn connect(&self) -> Result<Connected, Error> {
        let (announcer, session) =
            Announcer::connect(&self.broker.url()?, &self.broker.retry_delays, PROGRAM).await?;
        Ok(Connected { announcer, _session: Box::new(session) })
    }

    /// The broker, connected, to be looked at: nothing is declared.
    pub(crate) async fn inspect(&self) -> Result<Inspection, Error> {
        Ok(Inspection::open(&self.broker.url()?, &self.broker.retry_delays, PROGRAM).await?)
    }

    /// The depth of every queue.
    pub(crate) async fn depths(&self) -> Result<Vec<QueueDepth>, Error> {
        Ok(self.connect().await?.announcer.depths().await?)
    }

    /// The number of the pull that was named.
    pub(crate) async fn resolve(&self, store: &Store, pull: PullRef) -> Result<PullId, Error> {
        match pull {
            PullRef::Id(id) => Ok(id),
            PullRef::Latest => store.latest_pull().await?.ok_or(Error::NoPulls),
        }
    }
}
