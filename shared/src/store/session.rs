//! Sessions with PostgreSQL: at whichever server of the URL takes them, with the settings that our statements rely on.
//!
//! The settings are set once a session is open. Sent while it opens, a pooler would refuse them; left to the server, an
//! `alter database … set` would change what our statements mean.

use std::{
    fmt,
    net::IpAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Instant,
};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use sqlx::{Connection, PgConnection};
use tokio::{sync::watch, time::timeout};
use tokio_postgres::{Client, SimpleQueryMessage, config::Host};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Error,
    connection::{Connected, connect, heard},
    database_url::{Address, Server},
    session_settings::{DURABLE, FIXED, MIGRATOR, PROGRAM},
    silence::{self, OpenSessions},
    suspicion,
};
use crate::dial::{DialError, FailedCall, Heard, place, resolve};

/// Opens sessions, for a pool or one by one.
pub(super) struct Sessions {
    address: Address,
    tls: Option<MakeRustlsConnect>,
    program: String,
    /// Number of the server to be tried first: the one that worked last, or the one after it, so that a dead one costs its
    /// wait once.
    first: AtomicUsize,
    open: OpenSessions,
    /// Whether sessions are known to be our own.
    own: AtomicBool,
}

/// A session just opened.
pub(super) struct Opened {
    connected: Connected,
    server: Server,
    address: Option<IpAddr>,
}

impl Sessions {
    /// Calls nobody. `program` is how PostgreSQL shows the sessions, unless the URL says `application_name`.
    pub(super) fn new(address: Address, program: &str) -> Result<Self, Error> {
        let tls = address.tls()?.map(MakeRustlsConnect::new);
        let (first, own) = (AtomicUsize::new(0), AtomicBool::new(false));
        Ok(Self { address, tls, program: program.to_owned(), first, open: OpenSessions::default(), own })
    }

    /// Tries every server at every address of it, beginning with the server that worked last.
    pub(super) async fn open(&self) -> Result<Opened, Error> {
        let servers = self.address.servers();
        let first = self.first.load(Ordering::Relaxed);
        let mut failed = DialError::default();
        for number in (first..servers.len()).chain(0..first) {
            let server = &servers[number];
            let addresses = match addresses(server).await {
                Ok(addresses) => addresses,
                Err(call) => {
                    failed.push(call);
                    continue;
                }
            };
            for address in addresses {
                match self.call(server, address).await {
                    Ok(connected) => {
                        self.first.store(number, Ordering::Relaxed);
                        return Ok(Opened { connected, server: server.clone(), address });
                    }
                    Err(call) => failed.push(call),
                }
            }
            // At once: who waits for all of them may be gone by then.
            self.first.store((number + 1) % servers.len(), Ordering::Relaxed);
        }
        Err(if failed.refused() { Error::Refused(failed) } else { Error::Unreachable(failed) })
    }

    /// Opens a session with one server at one of its addresses.
    async fn call(&self, server: &Server, address: Option<IpAddr>) -> Result<Connected, FailedCall> {
        let config = self.address.config(server, address, &self.program);
        let (place, patience, began) = (named(server, address), self.address.patience(), Instant::now());
        match timeout(patience, connect(&config, self.tls.as_ref())).await {
            Ok(Ok(connected)) => {
                self.open.add(place, connected.driver.abort_handle());
                Ok(connected)
            }
            Ok(Err(error)) => {
                let (heard, cause) = heard(&error);
                Err(FailedCall { place, heard, cause })
            }
            Err(_) => {
                self.open.end(&place, began);
                Err(FailedCall {
                    place,
                    heard: Heard::Nobody,
                    cause: format!("no answer within {patience:?}"),
                })
            }
        }
    }

    /// Refuses a pooler that gives one session to several clients. Two that are open at once and have the same backend
    /// show it; what is set in such a session, and every prepared statement, would be somebody else's a moment later.
    async fn check_own(&self, opened: &Opened) -> Result<(), Error> {
        if self.own.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mine = backend(&opened.connected.client).await?;
        // A second session is not to be had, where the limit is reached: then nothing is known yet.
        let Ok(other) = self.call(&opened.server, opened.address).await else { return Ok(()) };
        if backend(&other.client).await? == mine {
            return Err(Error::Shared);
        }
        self.own.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Sees to it that a session just opened is our own, and gives it the settings of a program's.
    async fn prepare(&self, opened: &Opened) -> Result<(), Error> {
        let prepared = async {
            self.check_own(opened).await?;
            self.settle(opened, &PROGRAM).await
        };
        // It opens another for a moment, which may take its time.
        timeout(2 * self.address.patience(), prepared).await.unwrap_or(Err(Error::Silent))
    }

    /// Gives a session its settings.
    async fn settle(&self, opened: &Opened, defaults: &[(&str, &str)]) -> Result<(), Error> {
        let sql = self.settings(defaults);
        match opened.connected.client.batch_execute(&sql).await {
            // Not the server, but what the URL wants of it.
            Err(error) if error.as_db_error().is_some() => {
                let mut refused = DialError::default();
                let (heard, cause) = heard(&error);
                refused.push(FailedCall { place: named(&opened.server, opened.address), heard, cause });
                Err(Error::Refused(refused))
            }
            settled => Ok(settled?),
        }
    }

    fn settings(&self, defaults: &[(&str, &str)]) -> String {
        let own = self.address.settings.iter().map(|(name, value)| (&**name, &**value));
        let quoted = |text: &str| text.replace('\\', r"\\").replace('\'', "''");
        // The later takes the place of the earlier.
        let settings = FIXED.iter().chain(defaults).copied().chain(own).map(|(name, value)| {
            format!("select set_config(E'{}', E'{}', false)", quoted(name), quoted(value))
        });
        let settings: Vec<_> = std::iter::once(format!("select {DURABLE}")).chain(settings).collect();
        format!("/* session::settle */ {}", settings.join("; "))
    }

    /// A session that listens on a channel; with news of each notification.
    pub(super) async fn listener(&self, channel: &str) -> Result<(Client, watch::Receiver<()>), Error> {
        let opened = self.open().await?;
        self.prepare(&opened).await?;
        let Connected { client, notified, .. } = opened.connected;
        client.batch_execute(&format!("/* session::listener */ listen {channel}")).await?;
        Ok((client, notified))
    }

    /// A connection for the migrator, whose driver is another: with the server that took a session of ours just now.
    /// Fails before anything is changed when the database cannot hold what we store.
    pub(super) async fn migrator(&self) -> Result<PgConnection, Error> {
        let opened = self.open().await?;
        self.check_own(&opened).await?;
        let encoding = ask(&opened.connected.client, "show server_encoding").await?;
        if encoding != "UTF8" {
            return Err(Error::Encoding { found: encoding });
        }
        self.settle(&opened, &MIGRATOR).await?;
        let options = self.address.options(&opened.server, opened.address, &self.program);
        let mut connection = PgConnection::connect_with(&options).await.map_err(Error::Migrator)?;
        let settings = sqlx::raw_sql(sqlx::AssertSqlSafe(self.settings(&MIGRATOR)));
        settings.execute(&mut connection).await.map_err(Error::Migrator)?;
        Ok(connection)
    }
}

/// A session with a server of others, without the settings that ours have. It ends when what is returned is dropped.
pub(super) async fn foreign(address: Address, program: &str) -> Result<Client, Error> {
    Ok(Sessions::new(address, program)?.open().await?.connected.client)
}

impl Manager for Sessions {
    type Type = ClientWrapper;
    type Error = Error;

    async fn create(&self) -> Result<ClientWrapper, Error> {
        // Large, and part of everything that asks the store something.
        Box::pin(async {
            let opened = self.open().await?;
            self.prepare(&opened).await?;
            Ok(ClientWrapper::new(opened.connected.client, opened.connected.driver))
        })
        .await
    }

    async fn recycle(&self, session: &mut ClientWrapper, metrics: &Metrics) -> RecycleResult<Error> {
        if session.is_closed() {
            return Err(RecycleError::message("it has ended"));
        }
        if suspicion::falls_on(metrics.created) {
            return Err(RecycleError::message("it may be the trouble"));
        }
        silence::ask(session, metrics.last_used()).await.map_err(RecycleError::Backend)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("program", &self.program).finish_non_exhaustive()
    }
}

/// Where a server is; `None` stands for its Unix socket.
async fn addresses(server: &Server) -> Result<Vec<Option<IpAddr>>, FailedCall> {
    match (&server.host, server.address) {
        (Host::Unix(_), _) => Ok(vec![None]),
        (_, Some(address)) => Ok(vec![Some(address)]),
        (Host::Tcp(host), None) => {
            Ok(resolve(host, server.port).await?.into_iter().map(|address| Some(address.ip())).collect())
        }
    }
}

fn named(server: &Server, address: Option<IpAddr>) -> String {
    match (&server.host, address) {
        (Host::Unix(folder), _) => format!("{}/.s.PGSQL.{}", folder.display(), server.port),
        (Host::Tcp(host), Some(address)) => place(host, (address, server.port).into()),
        (Host::Tcp(host), None) => format!("{host}:{}", server.port),
    }
}

/// Which of a server's processes serves a session; no two servers have started at the same microsecond.
async fn backend(client: &Client) -> Result<String, Error> {
    ask(client, "/* session::backend */ select pg_backend_pid() || ' ' || pg_postmaster_start_time()").await
}

/// The one value that a query without parameters and prepared statement gives.
async fn ask(client: &Client, sql: &str) -> Result<String, Error> {
    let answer = client.simple_query(sql).await?;
    let value = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(value.unwrap_or_default())
}
