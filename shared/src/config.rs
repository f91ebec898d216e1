//! Settings: flags, then environment, then defaults, in sections that a program flattens into its own.
//!
//! A secret has no flag, because flags are seen in the process list: it comes from its variable, or from the file
//! its `…_FILE` variable or flag names. Empty values count as not given, as compose files write them.

use std::{ffi::OsStr, fs, io, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Command, builder::Resettable};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::topology::RetryDelays;

/// Exit code of a program whose settings cannot be used: `EX_CONFIG` of sysexits(3).
pub const EXIT_CONFIG: u8 = 78;

/// A setting that cannot be used. Says which, what is wrong and what to do; never shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither the variable nor its file is given.
    #[error("{name} is not set: set it, or let {name}_FILE name a file that holds it")]
    Missing {
        /// The variable.
        name: &'static str,
    },
    /// Both are given, and nobody can say which one is meant.
    #[error("both {name} and {name}_FILE are set: keep one")]
    Twice {
        /// The variable.
        name: &'static str,
    },
    /// The file cannot be read.
    #[error("{name}_FILE names {path}, which cannot be read: {source}")]
    Unreadable {
        /// The variable.
        name: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The value is not of the form it must have. `why` does not show the value.
    #[error("{name} cannot be used: {why}")]
    Unusable {
        /// The variable.
        name: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// The command line, for which a variable that is set to nothing counts as not set, as compose files write it.
pub fn empty_is_unset(command: Command) -> Command {
    #[expect(clippy::disallowed_methods, reason = "only asks whether it is empty; clap reads it")]
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| match arg.get_env() {
            Some(name) if is_empty(name) => arg.env(Resettable::Reset),
            _ => arg,
        })
        .mut_subcommands(empty_is_unset)
}

/// Takes a secret from the variable `name`, or from `file`.
fn secret(name: &'static str, file: Option<&PathBuf>) -> Result<SecretString, ConfigError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads a variable clap must not show as a flag"
    )]
    let direct = std::env::var(name).ok().filter(|value| !value.is_empty());
    let value = match (direct, file.filter(|path| !path.as_os_str().is_empty())) {
        (Some(_), Some(_)) => return Err(ConfigError::Twice { name }),
        (Some(value), None) => value,
        (None, Some(path)) => fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
            name,
            path: path.clone(),
            source,
        })?,
        (None, None) => return Err(ConfigError::Missing { name }),
    };
    let value = value.trim();
    if value.is_empty() {
        return Err(ConfigError::Unusable { name, why: "it is empty".into() });
    }
    if value.contains(char::is_whitespace) {
        return Err(ConfigError::Unusable {
            name,
            why: "it holds a space or a line break: give one word".into(),
        });
    }
    Ok(value.into())
}

/// Takes a secret URL; its scheme must be one of `schemes`.
fn secret_url(
    name: &'static str,
    file: Option<&PathBuf>,
    schemes: &[&str],
) -> Result<SecretString, ConfigError> {
    let value = secret(name, file)?;
    let parsed = Url::parse(value.expose_secret())
        .map_err(|error| ConfigError::Unusable { name, why: format!("it is not a URL ({error})") })?;
    if schemes.contains(&parsed.scheme()) {
        Ok(value)
    } else {
        let why = format!("its scheme is {:?}, and must be one of {}", parsed.scheme(), schemes.join(", "));
        Err(ConfigError::Unusable { name, why })
    }
}

/// Where PostgreSQL is. Its URL is a secret: `DATABASE_URL`, or the file that `DATABASE_URL_FILE` names.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "PostgreSQL (DATABASE_URL, or its file)")]
pub struct Database {
    /// File that holds the URL, such as `postgres://user:password@host:5432/name`
    #[arg(long, env, value_name = "FILE")]
    database_url_file: Option<PathBuf>,
    /// Most connections this process opens
    #[arg(long, env, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=100))]
    pub database_connections: u16,
}

impl Database {
    /// The URL.
    pub fn url(&self) -> Result<SecretString, ConfigError> {
        secret_url("DATABASE_URL", self.database_url_file.as_ref(), &["postgres", "postgresql"])
    }
}

/// Where RabbitMQ is. Its URL is a secret: `AMQP_URL`, or the file that `AMQP_URL_FILE` names.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "RabbitMQ (AMQP_URL, or its file)")]
pub struct Broker {
    /// File that holds the URL, such as `amqp://user:password@host:5672/%2f`
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!(
            "config-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn a_secret_file_is_trimmed_and_checked() {
        let path = file(" s3cret\n");
        assert_eq!(secret("NO_SUCH_VARIABLE", Some(&path)).unwrap().expose_secret(), "s3cret");
        fs::write(&path, "two words").unwrap();
        let error = secret("NO_SUCH_VARIABLE", Some(&path)).unwrap_err().to_string();
        assert!(error.contains("NO_SUCH_VARIABLE") && !error.contains("words"), "{error}");
        fs::remove_file(&path).unwrap();
        let error = secret("NO_SUCH_VARIABLE", Some(&path)).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
        let error = secret("NO_SUCH_VARIABLE", None).unwrap_err().to_string();
        assert!(error.contains("NO_SUCH_VARIABLE_FILE"), "{error}");
    }

    #[test]
    fn a_secret_url_is_checked_and_never_shown() {
        let path = file("http://me:pa55@host/");
        let error = secret_url("DATABASE_URL", Some(&path), &["postgres"]).unwrap_err().to_string();
        fs::remove_file(&path).unwrap();
        assert!(error.contains("postgres") && !error.contains("pa55"), "{error}");
    }
}
