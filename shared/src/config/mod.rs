//! Settings: flags, then environment, then defaults, in sections that a program flattens into its own.
//!
//! A secret has no flag, because flags are seen in the process list: it comes from its variable, or from the file
//! its `…_FILE` variable or flag names. Empty values count as not given, as compose files write them.

mod command_line;
mod error;
mod lake;
mod secret;
mod show;
mod url_parts;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use secrecy::SecretString;
use url::Url;

pub use command_line::{ConfigCommand, Parsed, Unparsed, parse};
pub use error::{ConfigError, EXIT_CONFIG, SetupError};
pub use lake::{Lake, LakeKey, LakePlace, Redshift};
pub use secret::secret;
use secret::secret_url;
pub(crate) use show::{LOG_LEVELS, log_levels};
pub(crate) use url_parts::UrlParts;

use crate::topology::RetryDelays;

/// Where PostgreSQL is. Its URL is a secret: `DATABASE_URL`, or the file that `DATABASE_URL_FILE` names.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "PostgreSQL (DATABASE_URL, or its file)")]
pub struct Database {
    /// File that holds the URL, such as `postgres://user:password@host:5432/name?sslmode=verify-full&sslrootcert=/ca.pem`;
    /// several hosts are tried in turn: `h1:5432,h2:5432/name?target_session_attrs=read-write`
    #[arg(long, env, value_name = "FILE")]
    database_url_file: Option<PathBuf>,
    /// Most connections this process opens; those not used for a minute are closed
    #[arg(long, env, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=100))]
    pub database_connections: u16,
}

impl Database {
    /// The URL.
    pub fn url(&self) -> Result<SecretString, ConfigError> {
        secret_url("DATABASE_URL", self.database_url_file.as_ref(), &["postgres", "postgresql"])
    }
}

/// The access of the tables' owner, which retention needs: `RETENTION_DATABASE_URL`, or the file that
/// `RETENTION_DATABASE_URL_FILE` names.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Retention (RETENTION_DATABASE_URL, or its file)")]
pub struct OwnerAccess {
    /// File that holds the URL of PostgreSQL for the owner of the tables, who alone may take old days out of them; without it
    /// `DATABASE_URL` is used
    #[arg(long, env, value_name = "FILE")]
    retention_database_url_file: Option<PathBuf>,
}

impl OwnerAccess {
    /// The URL; none where none is given.
    pub fn url(&self) -> Result<Option<SecretString>, ConfigError> {
        let schemes = ["postgres", "postgresql"];
        match secret_url("RETENTION_DATABASE_URL", self.retention_database_url_file.as_ref(), &schemes) {
            Err(ConfigError::Missing { .. }) => Ok(None),
            url => url.map(Some),
        }
    }
}

/// Where the database of the NiFi flow is: `LEGACY_DATABASE_URL`, or this file.
pub fn legacy_database_url(file: Option<&PathBuf>) -> Result<SecretString, ConfigError> {
    secret_url("LEGACY_DATABASE_URL", file, &["postgres", "postgresql"])
}

/// Where RabbitMQ is. Its URL is a secret: `AMQP_URL`, or the file that `AMQP_URL_FILE` names.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "RabbitMQ (AMQP_URL, or its file)")]
pub struct Broker {
    /// File that holds the URL, such as `amqp://user:password@host:5672/%2f`, or
    /// `amqps://user:password@host:5671/%2f?cacertfile=/ca.pem`; several nodes are tried in turn: `h1:5672,h2:5672/%2f`
    #[arg(long, env, value_name = "FILE")]
    amqp_url_file: Option<PathBuf>,
    /// Delays before a failed message is tried again, shortest first; after the last it is dead-lettered.
    /// All programs must have the same
    #[arg(long, env, default_value = "1s,5s,15s,1m,5m", value_name = "DELAYS")]
    pub retry_delays: RetryDelays,
}

impl Broker {
    /// The URL.
    pub fn url(&self) -> Result<SecretString, ConfigError> {
        secret_url("AMQP_URL", self.amqp_url_file.as_ref(), &["amqp", "amqps"])
    }
}

/// RabbitMQ's management API, for what AMQP does not tell. Its URL is a secret: `MANAGEMENT_URL`, or the file that
/// `MANAGEMENT_URL_FILE` names.
#[derive(Debug, Clone, Args)]
pub struct Management {
    /// File that holds the URL of RabbitMQ's management API, such as `http://user:password@host:15672`; the user needs the tag
    /// `management`. Without it bindings are not compared
    #[arg(long, env, value_name = "FILE")]
    management_url_file: Option<PathBuf>,
}

impl Management {
    /// The URL; none where it is not set.
    pub fn url(&self) -> Result<Option<SecretString>, ConfigError> {
        match secret_url("MANAGEMENT_URL", self.management_url_file.as_ref(), &["http", "https"]) {
            Err(ConfigError::Missing { .. }) => Ok(None),
            url => url.map(Some),
        }
    }
}

/// Twitch, and who we are there. The secrets are `TWITCH_CLIENT_ID` and `TWITCH_CLIENT_SECRET`, or their files.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_field_names, reason = "clap makes flags and variables of the names")]
#[command(next_help_heading = "Twitch (TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET, or their files)")]
pub struct Twitch {
    /// File that holds the client id
    #[arg(long, env, value_name = "FILE")]
    twitch_client_id_file: Option<PathBuf>,
    /// File that holds the client secret
    #[arg(long, env, value_name = "FILE")]
    twitch_client_secret_file: Option<PathBuf>,
    /// Base of the Helix API; may carry a path
    #[arg(long, env, default_value = "https://api.twitch.tv/helix/", value_name = "URL", value_parser = http_url)]
    pub twitch_api_url: Url,
    /// The token endpoint
    #[arg(long, env, default_value = "https://id.twitch.tv/oauth2/token", value_name = "URL", value_parser = http_url)]
    pub twitch_token_url: Url,
    /// PEM file of CA certificates for Twitch, instead of the system's
    #[arg(long, env, value_name = "FILE")]
    pub twitch_ca_bundle: Option<PathBuf>,
    /// Points of the client id's rate limit that are left to other programs which use it
    #[arg(long, env, default_value_t = 0, value_name = "N")]
    pub twitch_reserved_points: u32,
}

impl Twitch {
    /// The client id.
    pub fn client_id(&self) -> Result<SecretString, ConfigError> {
        secret("TWITCH_CLIENT_ID", self.twitch_client_id_file.as_ref())
    }

    /// The client secret.
    pub fn client_secret(&self) -> Result<SecretString, ConfigError> {
        secret("TWITCH_CLIENT_SECRET", self.twitch_client_secret_file.as_ref())
    }
}

pub(crate) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("write an http or https URL with a host".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user or a password has no place in it".into());
    }
    Ok(url)
}

/// What every worker has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Running")]
pub struct Process {
    /// Address of /livez, /readyz and /metrics; port 0 takes a free one, named in the ready line
    #[arg(long, env, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub http_listen: SocketAddr,
    /// How long a worker may take to finish what is in hand when it is told to stop
    #[arg(long, env, default_value = "25s", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub shutdown_deadline: Duration,
    /// How long a message may be in hand before it goes back to its queue; keep it far below RabbitMQ's `consumer_timeout`
    #[arg(long, env, default_value = "10m", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub max_in_hand: Duration,
    /// After so many dead letters in a row with the same cause the stage pauses instead; 0 never pauses it
    #[arg(long, env, default_value_t = 20, value_name = "N")]
    pub pause_after_dead_letters: u32,
    /// How log lines look; without it, pretty on a terminal and JSON elsewhere
    #[arg(long, env, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Pretty,
}

/// Has everything in this process that speaks TLS use the same cryptography. Harmless to repeat.
pub fn use_our_tls() {
    // Fails only when a provider is installed already, and any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
