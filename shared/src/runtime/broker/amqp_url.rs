//! `AMQP_URL`: where RabbitMQ is, and how the way there is kept private.
//!
//! It may name several nodes of a cluster: `amqps://user:password@h1:5671,h2:5671/%2f?cacertfile=/ca.pem`. Its parameters
//! are RabbitMQ's (<https://www.rabbitmq.com/docs/uri-query-parameters>).

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use lapin::{tcp::OwnedTLSConfig, uri::AMQPUri};
use secrecy::{ExposeSecret, SecretString};

use super::error::BrokerError;
use crate::{
    config::{ConfigError, UrlParts},
    tls,
};

/// Seconds between heartbeats: a silent peer is noticed after twice that.
const HEARTBEAT: u16 = 10;
/// Bytes of a frame at most, unless the URL says otherwise. lapin reserves 32 of them to read and 32 to write, for each
/// connection: 17 MB a process with RabbitMQ's own 128 KiB. Larger bodies travel in several frames.
const FRAME_MAX: u32 = 16 * 1024;
/// Parameters that lapin understands; `cacertfile` and `verify` are understood here.
const UNDERSTOOD: [&str; 5] =
    ["heartbeat", "frame_max", "channel_max", "connection_timeout", "auth_mechanism"];

/// Whether a broker's URL, and the file it may name, can be used. Calls nobody.
pub fn check_url(url: &SecretString) -> Result<(), ConfigError> {
    match Address::parse(url) {
        Err(BrokerError::Url(why)) => Err(ConfigError::Unusable { name: "AMQP_URL".into(), why }),
        _ => Ok(()),
    }
}

/// The nodes of a broker and a virtual host, as a URL names them.
#[derive(Clone)]
pub(in crate::runtime) struct Address {
    /// All but the node.
    uri: AMQPUri,
    /// Hosts and ports, as the URL names them.
    nodes: Vec<(String, u16)>,
    /// Number of the node that is tried first: any at first, so that load spreads, then the one that worked.
    first: Arc<AtomicUsize>,
    /// Authorities in PEM, trusted beside the system's.
    authorities: Option<String>,
}

impl Address {
    /// Takes a URL apart. What is wrong is told without showing it.
    pub(in crate::runtime) fn parse(url: &SecretString) -> Result<Self, BrokerError> {
        let parts = UrlParts::split(url.expose_secret()).map_err(BrokerError::Url)?;
        let mut uri = without_nodes(&parts)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        uri.query.frame_max.get_or_insert(FRAME_MAX);
        let mut authorities = None;
        for (name, value) in parts.parameters() {
            match &*name {
                "cacertfile" if parts.scheme == "amqps" => {
                    let (text, _) = tls::authorities(Path::new(&*value))
                        .map_err(|why| BrokerError::Url(format!("its cacertfile {why}")))?;
                    authorities = Some(text);
                }
                "cacertfile" => {
                    return Err(BrokerError::Url(
                        "it has cacertfile, and its scheme is amqp: write amqps".into(),
                    ));
                }
                "verify" if value == "verify_peer" => {}
                "verify" => {
                    let why = format!(
                        "it has verify={value}, and certificates are always verified: name your authority with cacertfile"
                    );
                    return Err(BrokerError::Url(why));
                }
                name if UNDERSTOOD.contains(&name) => {}
                name => {
                    return Err(BrokerError::Url(format!(
                        "its parameter {name} cannot be used: leave it out"
                    )));
                }
            }
        }
        let mut nodes = Vec::new();
        for (host, port) in parts.places().map_err(BrokerError::Url)? {
            // As lapin has it.
            let host = if host.is_empty() { "localhost" } else { host };
            nodes.push((host.to_owned(), port.unwrap_or_else(|| uri.scheme.default_port())));
        }
        let first = Arc::new(AtomicUsize::new(any_number()));
        Ok(Self { uri, nodes, first, authorities })
    }

    /// Every node, with its number, in the order in which they are to be tried.
    pub(in crate::runtime) fn nodes(&self) -> impl Iterator<Item = (usize, &str, u16)> {
        let (count, first) = (self.nodes.len(), self.first.load(Ordering::Relaxed));
        (0..count).map(move |number| {
            let number = first.wrapping_add(number) % count;
            let (host, port) = &self.nodes[number];
            (number, host.as_str(), *port)
        })
    }

    /// Notes that a node took a connection: it is the first to be asked for the next.
    pub(in crate::runtime) fn worked(&self, number: usize) {
        self.first.store(number, Ordering::Relaxed);
    }

    /// The virtual host.
    pub(in crate::runtime) fn vhost(&self) -> String {
        self.uri.vhost.clone()
    }

    /// For lapin: one node, by the name that its certificate must bear.
    pub(in crate::runtime) fn uri(&self, host: &str, port: u16) -> AMQPUri {
        let mut uri = self.uri.clone();
        host.clone_into(&mut uri.authority.host);
        uri.authority.port = port;
        uri
    }

    /// How long a connection to one address may take, if the URL says so.
    pub(in crate::runtime) fn timeout(&self) -> Option<Duration> {
        self.uri.query.connection_timeout.map(Duration::from_millis)
    }

    /// Whom to trust, for lapin.
    pub(in crate::runtime) fn tls(&self) -> OwnedTLSConfig {
        OwnedTLSConfig { identity: None, cert_chain: self.authorities.clone() }
    }
}

/// What lapin reads of a URL that names no node: it knows one only, and takes an IPv6 address for none at all.
fn without_nodes(parts: &UrlParts<'_>) -> Result<AMQPUri, BrokerError> {
    let credentials = parts.credentials.map_or_else(String::new, |credentials| format!("{credentials}@"));
    let query = parts.query.map_or_else(String::new, |query| format!("?{query}"));
    let url = format!("{}://{credentials}localhost{}{query}", parts.scheme, parts.path);
    url.parse().map_err(|why| BrokerError::Url(format!("it is not an AMQP URL: {why}")))
}

/// A number that differs from one process and moment to the next.
fn any_number() -> usize {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.subsec_micros() as usize ^ std::process::id() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(url: &str) -> Vec<String> {
        let address = Address::parse(&url.into()).unwrap();
        address.first.store(0, Ordering::Relaxed);
        address.nodes().map(|(number, host, port)| format!("{number} {host} {port}")).collect()
    }

    #[test]
    fn nodes_are_tried_in_turn_from_the_one_that_worked() {
        let url = "amqp://me:pa55@h1:5672,[2001:db8::1]:5673,h3/%2f?heartbeat=5";
        assert_eq!(nodes(url), ["0 h1 5672", "1 2001:db8::1 5673", "2 h3 5672"]);
        assert_eq!(nodes("amqps://[::1]/"), ["0 ::1 5671"]);
        assert_eq!(nodes("amqp:///%2f"), ["0 localhost 5672"]);
        let address = Address::parse(&url.into()).unwrap();
        assert_eq!(address.nodes().count(), 3, "wherever it begins");
        address.worked(2);
        let numbers: Vec<_> = address.nodes().map(|(number, ..)| number).collect();
        assert_eq!(numbers, [2, 0, 1]);
        let uri = address.uri("2001:db8::1", 5673);
        assert_eq!((&*uri.authority.host, uri.authority.port, &*uri.vhost), ("2001:db8::1", 5673, "/"));
        assert_eq!(uri.query.heartbeat, Some(5));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (url, word) in [
            ("amqps://h/?certfile=/a.pem", "certfile"),
            ("amqp://h:port/", "port"),
            ("amqp://::1/", "[ ]"),
            ("amqps://h/?verify=verify_none", "verify_none"),
        ] {
            let why = Address::parse(&url.into()).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(why.contains(word), "{url}: {why}");
        }
    }
}
