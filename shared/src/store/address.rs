//! Where PostgreSQL is, and how the way there is kept private.
//!
//! `sslmode` and `sslrootcert` are libpq's (<https://www.postgresql.org/docs/17/libpq-ssl.html>), with one difference:
//! whoever asks for encryption gets the certificate verified, chain and name, whichever word is used. An encrypted
//! conversation with nobody knows whom protects from little.

use std::path::PathBuf;

use rustls::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_postgres::config::SslMode;
use url::Url;

use super::Error;
use crate::tls;

/// A server and a database, as a URL names them.
pub(super) struct Address {
    /// The URL without what is said here of TLS.
    url: Url,
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

impl Address {
    /// Takes a URL apart. What is wrong with it is told without showing it.
    pub(super) fn parse(url: &SecretString) -> Result<Self, Error> {
        let mut url = Url::parse(url.expose_secret())
            .map_err(|error| Error::Url(format!("it is not a URL ({error})")))?;
        let (mut mode, mut authorities) = (None, None);
        let mut others = Vec::new();
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => authorities = Some(PathBuf::from(&*value)),
                _ => others.push((name.into_owned(), value.into_owned())),
            }
        }
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        let privacy = match mode.as_deref() {
            None if authorities.is_some() => {
                return Err(Error::Url("it has sslrootcert without sslmode: add sslmode=verify-full".into()));
            }
            None | Some("disable") => Privacy::Plain,
            Some("require" | "verify-ca" | "verify-full") => {
                let file = authorities.filter(|file| file.as_os_str() != "system");
                file.map_or(Privacy::System, Privacy::File)
            }
            Some(other) => {
                return Err(Error::Url(format!(
                    "its sslmode is {other:?}: write verify-full to encrypt and verify, or disable"
                )));
            }
        };
        Ok(Self { url, privacy })
    }

    /// For the pool.
    pub(super) fn config(&self) -> Result<tokio_postgres::Config, Error> {
        let mut config: tokio_postgres::Config = self.url.as_str().parse().map_err(|error| told(&error))?;
        if config.get_hosts().is_empty() {
            return Err(Error::Url("it names no host".into()));
        }
        let plain = matches!(self.privacy, Privacy::Plain);
        config.ssl_mode(if plain { SslMode::Disable } else { SslMode::Require });
        Ok(config)
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

    /// For the migrator.
    pub(super) fn options(&self) -> Result<PgConnectOptions, Error> {
        // Tells of a file that cannot be used in our words.
        self.tls()?;
        let options: PgConnectOptions = self.url.as_str().parse().map_err(|error| told(&error))?;
        Ok(match &self.privacy {
            Privacy::Plain => options.ssl_mode(PgSslMode::Disable),
            Privacy::System => options.ssl_mode(PgSslMode::VerifyFull),
            Privacy::File(file) => options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(file),
        })
    }
}

/// A parser's complaint and its cause, neither of which shows the URL.
fn told(error: &dyn std::error::Error) -> Error {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    Error::Url(format!("{error}{cause}"))
}
