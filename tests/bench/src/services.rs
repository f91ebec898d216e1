//! The servers of this run, which `tests/bench/run` brought up: a database and a vhost for each drill, and their end.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use secrecy::SecretString;
use tokio::process::Command;
use tokio_postgres::{Client, NoTls};

use crate::{outcome::Outcome, server_url::ServerUrl};

/// The folder of `deploy/services`.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    script: PathBuf,
    dir: PathBuf,
}

/// A server that can be killed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Server {
    RabbitMq,
    PostgreSql,
}

impl Server {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::RabbitMq => "RabbitMQ",
            Self::PostgreSql => "PostgreSQL",
        }
    }

    /// Its folder in that of the services.
    const fn folder(self) -> &'static str {
        match self {
            Self::RabbitMq => "rabbitmq",
            Self::PostgreSql => "postgres",
        }
    }
}

/// A database and a vhost of one's own.
#[derive(Debug)]
pub(crate) struct Place {
    services: Services,
    name: String,
    database: ServerUrl,
    amqp: ServerUrl,
}

impl Services {
    pub(crate) fn new(script: PathBuf, dir: PathBuf) -> Self {
        Self { script, dir }
    }

    fn url(&self, file: &str) -> Outcome<ServerUrl> {
        ServerUrl::read(&self.dir.join(file))
    }

    /// A place nobody else works in.
    pub(crate) async fn place(&self) -> Outcome<Place> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (database, amqp) = (self.url("database-url")?, self.url("amqp-url")?);
        connect(&database).await?.batch_execute(&format!("create database {name}")).await?;
        self.rabbitmqctl(&["add_vhost", &name]).await?;
        self.rabbitmqctl(&["set_permissions", "-p", &name, amqp.user(), ".*", ".*", ".*"]).await?;
        let (database, amqp) = (database.with_path(&name), amqp.with_path(&name));
        Ok(Place { services: self.clone(), name, database, amqp })
    }

    /// What `rabbitmqctl` answers.
    async fn rabbitmqctl(&self, arguments: &[&str]) -> Outcome<String> {
        run(Command::new(&self.script).arg("rabbitmqctl").arg(&self.dir).arg("--quiet").args(arguments)).await
    }

    /// The broker's version.
    pub(crate) async fn rabbitmq_version(&self) -> Outcome<String> {
        Ok(self.rabbitmqctl(&["version"]).await?.trim().to_owned())
    }

    /// Messages that the broker was given so far, on all its connections.
    pub(crate) async fn messages_published(&self) -> Outcome<u64> {
        let counter = "maps:get(messages_received_total, maps:get([{protocol, amqp091}], rabbit_global_counters:overview())).";
        Ok(self.rabbitmqctl(&["eval", counter]).await?.trim().parse()?)
    }

    /// Ends a server between two instructions.
    pub(crate) async fn kill(&self, server: Server) -> Outcome<()> {
        run(Command::new("kill").args(["-s", "KILL", &self.pid(server)?.to_string()])).await?;
        Ok(())
    }

    /// From so much of the machine's memory on the broker blocks publishers.
    pub(crate) async fn memory_watermark(&self, share: &str) -> Outcome<()> {
        self.rabbitmqctl(&["set_vm_memory_high_watermark", share]).await?;
        Ok(())
    }

    /// `deploy/services COMMAND DIR ARGUMENTS`.
    async fn script(&self, command: &str, arguments: &[&str]) -> Outcome<()> {
        run(Command::new(&self.script).arg(command).arg(&self.dir).args(arguments)).await?;
        Ok(())
    }

    /// Starts whatever does not run.
    pub(crate) async fn start(&self) -> Outcome<()> {
        self.script("start", &[]).await
    }

    /// Stops both in the orderly way, and starts them again.
    pub(crate) async fn restart(&self) -> Outcome<()> {
        self.script("stop", &[]).await?;
        self.start().await
    }

    /// How many nodes the broker's cluster has.
    pub(crate) fn nodes(&self) -> Outcome<usize> {
        let nodes = self.dir.join("nodes");
        must_exist(&nodes, "deploy/services start --nodes 3 DIR")?;
        Ok(fs::read_to_string(nodes)?.trim().parse()?)
    }

    /// Ends a node of the broker's between two instructions.
    pub(crate) async fn kill_node(&self, node: usize) -> Outcome<()> {
        self.script("kill", &["rabbitmq", &node.to_string()]).await
    }

    /// Starts a node that was killed.
    pub(crate) async fn start_node(&self, node: usize) -> Outcome<()> {
        self.script("start-node", &[&node.to_string()]).await
    }

    /// Ends PostgreSQL's primary between two instructions, and makes its standby the primary.
    pub(crate) async fn promote(&self) -> Outcome<()> {
        must_exist(&self.dir.join("standby"), "deploy/services start --standby DIR")?;
        self.script("promote", &[]).await
    }

    pub(crate) fn pid(&self, server: Server) -> Outcome<u32> {
        let process = fs::read_to_string(self.dir.join(server.folder()).join("process"))?;
        Ok(process.split_whitespace().next().ok_or("no process")?.parse()?)
    }

    /// What PostgreSQL wrote into its log.
    pub(crate) fn postgres_log(&self) -> PathBuf {
        self.dir.join("log/postgres.log")
    }
}

impl Place {
    pub(crate) fn database_url(&self) -> SecretString {
        self.database.as_str().into()
    }

    pub(crate) fn amqp_url(&self) -> SecretString {
        self.amqp.as_str().into()
    }

    /// The least number of members that a quorum queue has.
    pub(crate) async fn least_members(&self) -> Outcome<usize> {
        let queues = ["list_queues", "-p", &self.name, "--formatter", "json", "type", "members"];
        let queues: Vec<serde_json::Value> =
            serde_json::from_str(&self.services.rabbitmqctl(&queues).await?)?;
        let quorum = queues.iter().filter(|queue| queue["type"] == "quorum");
        let members = quorum.map(|queue| queue["members"].as_array().map_or(0, Vec::len));
        Ok(members.min().ok_or("no quorum queue")?)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the database takes connections; with the last word it has none.
    pub(crate) async fn allow_connections(&self, allow: bool) -> Outcome<()> {
        let name = &self.name;
        let sql = format!(
            "alter database {name} with allow_connections {allow};
             select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and not {allow}"
        );
        Ok(connect(&self.services.url("database-url")?).await?.batch_execute(&sql).await?)
    }

    pub(crate) fn services(&self) -> &Services {
        &self.services
    }

    pub(crate) async fn client(&self) -> Outcome<Client> {
        connect(&self.database).await
    }

    pub(crate) async fn remove(self) -> Outcome<()> {
        self.services.rabbitmqctl(&["delete_vhost", &self.name]).await?;
        let sql = format!("drop database {} with (force)", self.name);
        Ok(connect(&self.services.url("database-url")?).await?.batch_execute(&sql).await?)
    }
}

/// A connection that closes when dropped.
async fn connect(url: &ServerUrl) -> Outcome<Client> {
    let (client, connection) = tokio_postgres::connect(url.as_str(), NoTls).await?;
    tokio::spawn(async move {
        // An error ends the connection, and whoever uses it notices.
        let _ = connection.await;
    });
    Ok(client)
}

/// Runs a command to its end and returns what it printed; its complaints count only when it fails.
async fn run(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(std::process::Stdio::null()).output().await?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let program = command.as_std().get_program().display();
    Err(format!("{program} ended with {}: {words}", output.status).into())
}

/// Whether a file is there, with what to do when it is not.
pub(crate) fn must_exist(path: &Path, remedy: &str) -> Outcome<()> {
    if path.exists() { Ok(()) } else { Err(format!("{} is not there: {remedy}", path.display()).into()) }
}
