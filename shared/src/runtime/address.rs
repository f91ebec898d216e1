//! Where RabbitMQ is, and how the way there is kept private.

use std::path::Path;

use lapin::{tcp::OwnedTLSConfig, uri::AMQPUri};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::broker::BrokerError;
use crate::{config::ConfigError, tls};

/// Seconds between heartbeats: a silent peer is noticed after twice that.
const HEARTBEAT: u16 = 10;

/// Whether a broker's URL, and the file it may name, can be used. Calls nobody.
pub fn check_url(url: &SecretString) -> Result<(), ConfigError> {
    match Address::parse(url) {
        Err(BrokerError::Url(why)) => Err(ConfigError::Unusable { name: "AMQP_URL".into(), why }),
        _ => Ok(()),
    }
}

/// A broker and a virtual host, as a URL names them.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) uri: AMQPUri,
    /// Authorities in PEM, trusted beside the system's.
    authorities: Option<String>,
}

impl Address {
    /// Takes a URL apart; its parameter `cacertfile` names a file of authorities, as in
    /// <https://www.rabbitmq.com/docs/uri-query-parameters>. What is wrong is told without showing the URL.
    pub(super) fn parse(url: &SecretString) -> Result<Self, BrokerError> {
        let mut uri: AMQPUri = url
            .expose_secret()
            .parse()
            .map_err(|why| BrokerError::Url(format!("it is not an AMQP URL: {why}")))?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let url = Url::parse(url.expose_secret()).map_err(|error| BrokerError::Url(error.to_string()))?;
        let mut authorities = None;
        for (name, value) in url.query_pairs() {
            match &*name {
                "cacertfile" if url.scheme() == "amqps" => {
                    let (text, _) = tls::authorities(Path::new(&*value))
                        .map_err(|why| BrokerError::Url(format!("its cacertfile {why}")))?;
                    authorities = Some(text);
                }
                "cacertfile" => {
                    return Err(BrokerError::Url(
                        "it has cacertfile, and its scheme is amqp: write amqps".into(),
                    ));
                }
                "verify" if value == "verify_none" => {
                    let why = "it has verify=verify_none, and certificates are always verified: name your authority \
                               with cacertfile";
                    return Err(BrokerError::Url(why.into()));
                }
                _ => {}
            }
        }
        Ok(Self { uri, authorities })
    }

    /// Whom to trust, for lapin.
    pub(super) fn tls(&self) -> OwnedTLSConfig {
        OwnedTLSConfig { identity: None, cert_chain: self.authorities.clone() }
    }
}
