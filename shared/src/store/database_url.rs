//! `DATABASE_URL`, understood once for the pool, the migrator and `config check`.
//!
//! Its parameters are libpq's (<https://www.postgresql.org/docs/17/libpq-connect.html>), read by tokio-postgres; what that
//! does not know is refused by name. Three are taken here: `options`, which become settings of every session, and `sslmode`
//! and `sslrootcert`, with one difference to libpq: whoever asks for encryption gets the certificate verified, chain and
//! name, whichever word is used. Encryption without authentication gives little protection.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_postgres::{
    Config,
    config::{Host, SslMode, SslNegotiation},
};
use url::form_urlencoded;

use super::{Error, options};
use crate::{config::UrlParts, tls};

/// How long a session may take to open at one address, unless the URL says `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What tokio-postgres has for `keepalives_idle` when the URL does not say.
const KEEPALIVES_IDLE_UNSET: Duration = Duration::from_hours(2);

/// Servers and a database, as a URL names them.
pub(super) struct Address {
    config: Config,
    /// What `options` sets for every session.
    pub(super) settings: Vec<(String, String)>,
    privacy: Privacy,
}

/// How the way there is kept private.
enum Privacy {
    /// Not at all.
    Plain,
    /// Encrypted; the server is known by the system's authorities.
    System,
    /// Encrypted; the server is known by the authorities in a file.
    File(PathBuf),
}

/// One of the servers.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) host: Host,
    /// Where it is, if the URL says so beside its name.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

impl Address {
    /// Takes a URL apart. What is wrong with it is told without showing it.
    pub(super) fn parse(url: &SecretString) -> Result<Self, Error> {
        let mut parts = UrlParts::split(url.expose_secret()).map_err(Error::Url)?;
        parts.places().map_err(Error::Url)?;
        let (mut mode, mut authorities, mut settings) = (None, None, Vec::new());
        let mut others = Vec::new();
        for (name, value) in parts.parameters() {
            match (&*name, &*value) {
                ("sslmode", _) => mode = Some(value),
                ("sslrootcert", _) => authorities = Some(PathBuf::from(value)),
                // tokio-postgres takes several in a URL only one by one. Like libpq, it prefers them to those before.
                ("host", _) => {
                    parts.hosts = "";
                    others.extend(value.split(',').map(|host| (name.clone(), host.to_owned())));
                }
                ("options", _) => settings.extend(options::parse(&value).map_err(Error::Url)?),
                // Another word for the server that takes writes.
                ("target_session_attrs", "primary") => others.push((name, "read-write".to_owned())),
                ("target_session_attrs", "any" | "read-write") => others.push((name, value)),
                ("target_session_attrs", _) => {
                    return Err(Error::Url(format!(
                        "its target_session_attrs is {value:?}: every program writes, so write read-write, or any"
                    )));
                }
                _ => others.push((name, value)),
            }
        }
        let privacy = Privacy::parse(mode.as_deref(), authorities)?;
        let mut config: Config = rebuilt(&parts, &others).parse().map_err(|error| told(&error))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(Error::Url("it names no host".into()));
        }
        check_counts(&config)?;
        if config.get_ssl_negotiation() != SslNegotiation::Postgres {
            return Err(Error::Url("its sslnegotiation cannot be used: leave it out".into()));
        }
        let plain = matches!(privacy, Privacy::Plain);
        config.ssl_mode(if plain { SslMode::Disable } else { SslMode::Require });
        notice_a_vanished_host(&mut config);
        Ok(Self { config, settings, privacy })
    }

    /// The servers, in the order in which the URL names them.
    pub(super) fn servers(&self) -> Vec<Server> {
        let (hosts, addresses, ports) =
            (self.config.get_hosts(), self.config.get_hostaddrs(), self.config.get_ports());
        let port = |number: usize| ports.get(number).or(ports.first()).copied().unwrap_or(5432);
        let server = |number: usize| {
            let address = addresses.get(number).copied();
            let host = hosts.get(number).cloned();
            let host = host.or_else(|| address.map(|address| Host::Tcp(address.to_string())))?;
            Some(Server { host, address, port: port(number) })
        };
        (0..hosts.len().max(addresses.len())).filter_map(server).collect()
    }

    /// How long a session may take to open at one address.
    pub(super) fn patience(&self) -> Duration {
        self.config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT)
    }

    /// For a session of `program` with one server, at `address` if it is not at a Unix socket.
    pub(super) fn config(&self, server: &Server, address: Option<IpAddr>, program: &str) -> Config {
        let from = &self.config;
        let mut config = Config::new();
        if let Some(user) = from.get_user() {
            config.user(user);
        }
        if let Some(password) = from.get_password() {
            config.password(password);
        }
        if let Some(database) = from.get_dbname() {
            config.dbname(database);
        }
        if let Some(timeout) = from.get_tcp_user_timeout() {
            config.tcp_user_timeout(*timeout);
        }
        if let Some(interval) = from.get_keepalives_interval() {
            config.keepalives_interval(interval);
        }
        if let Some(retries) = from.get_keepalives_retries() {
            config.keepalives_retries(retries);
        }
        match &server.host {
            Host::Tcp(host) => config.host(host),
            Host::Unix(folder) => config.host_path(folder),
        };
        if let Some(address) = address {
            config.hostaddr(address);
        }
        config
            .port(server.port)
            .application_name(from.get_application_name().unwrap_or(program))
            .ssl_mode(from.get_ssl_mode())
            .keepalives(from.get_keepalives())
            .keepalives_idle(from.get_keepalives_idle())
            .channel_binding(from.get_channel_binding())
            .target_session_attrs(from.get_target_session_attrs());
        config
    }

    /// How to encrypt; none if that was not asked for.
    pub(super) fn tls(&self) -> Result<Option<ClientConfig>, Error> {
        match &self.privacy {
            Privacy::Plain => Ok(None),
            Privacy::System => tls::client(None).map(Some).map_err(Error::Url),
            Privacy::File(file) => {
                tls::client(Some(file)).map(Some).map_err(|why| Error::Url(format!("its sslrootcert {why}")))
            }
        }
    }

    /// The same for the migrator, which has a driver of its own: the server is one that tokio-postgres has reached.
    pub(super) fn options(
        &self,
        server: &Server,
        address: Option<IpAddr>,
        program: &str,
    ) -> PgConnectOptions {
        let from = &self.config;
        let mut options = PgConnectOptions::new_without_pgpass()
            .port(server.port)
            .application_name(from.get_application_name().unwrap_or(program))
            // A pooler need not know this one.
            .extra_float_digits(None);
        if let Some(user) = from.get_user() {
            options = options.username(user);
        }
        if let Some(password) = from.get_password() {
            options = options.password(&String::from_utf8_lossy(password));
        }
        // The default is the user's name, as in libpq, whatever the environment says.
        let database = from.get_dbname().or(from.get_user()).map(str::to_owned);
        if let Some(database) = database {
            options = options.database(&database);
        }
        let options = match (&server.host, address, &self.privacy) {
            (Host::Unix(folder), ..) => options.socket(folder),
            // The very address that worked; a certificate is known by the name.
            (Host::Tcp(_), Some(address), Privacy::Plain) => options.host(&address.to_string()),
            (Host::Tcp(host), ..) => options.host(host),
        };
        match &self.privacy {
            Privacy::Plain => options.ssl_mode(PgSslMode::Disable),
            Privacy::System => options.ssl_mode(PgSslMode::VerifyFull),
            Privacy::File(file) => options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(file),
        }
    }
}

impl Privacy {
    fn parse(mode: Option<&str>, authorities: Option<PathBuf>) -> Result<Self, Error> {
        match mode {
            None if authorities.is_some() => {
                Err(Error::Url("it has sslrootcert without sslmode: add sslmode=verify-full".into()))
            }
            None | Some("disable") => Ok(Self::Plain),
            Some("require" | "verify-ca" | "verify-full") => {
                let file = authorities.filter(|file| file.as_os_str() != "system");
                Ok(file.map_or(Self::System, Self::File))
            }
            Some(other) => Err(Error::Url(format!(
                "its sslmode is {other:?}: write verify-full to encrypt and verify, or disable"
            ))),
        }
    }
}

/// TCP notices after a minute that a host has vanished, where the URL does not say otherwise; the system's defaults are a
/// quarter of an hour for what was sent, and two hours for what is waited for.
fn notice_a_vanished_host(config: &mut Config) {
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(30));
    }
    if config.get_keepalives_idle() == KEEPALIVES_IDLE_UNSET {
        config.keepalives_idle(Duration::from_secs(30));
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(Duration::from_secs(10));
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
}

/// libpq's rule: one port for all hosts or one for each, and as many `hostaddr` as `host` where both are given.
fn check_counts(config: &Config) -> Result<(), Error> {
    let (hosts, addresses, ports) =
        (config.get_hosts().len(), config.get_hostaddrs().len(), config.get_ports().len());
    if hosts > 0 && addresses > 0 && hosts != addresses {
        return Err(Error::Url("it has as many hostaddr as hosts, or none: give one for each".into()));
    }
    if ports > 1 && ports != hosts.max(addresses) {
        return Err(Error::Url("the number of its ports is not that of its hosts".into()));
    }
    Ok(())
}

/// The URL again, with these parameters only, for tokio-postgres, which decodes `%20` and leaves a plus alone.
fn rebuilt(parts: &UrlParts<'_>, parameters: &[(String, String)]) -> String {
    let encode =
        |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let credentials = parts.credentials.map_or_else(String::new, |credentials| format!("{credentials}@"));
    let parameters: Vec<_> =
        parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
    format!("{}://{credentials}{}{}{query}", parts.scheme, parts.hosts, parts.path)
}

/// A parser's complaint and its cause, neither of which shows the URL.
fn told(error: &dyn std::error::Error) -> Error {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    Error::Url(format!("{error}{cause}"))
}

#[cfg(test)]
mod tests;
