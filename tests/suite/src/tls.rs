//! Encrypted ways to everybody: a pull over them, and nobody who is not who he should be.

use std::{fs, net::SocketAddr, path::PathBuf, process::Command, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use secrecy::ExposeSecret;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::spawn_blocking,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use fake_twitch::{World, WorldConfig};

use crate::{
    eventually::eventually,
    process::{Options, Process, binary},
    rig::Rig,
};

/// An authority of our own, and the file by which others come to trust it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(folder: &TempDir, name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let file = folder.path().join(name);
        fs::write(&file, params.self_signed(&key).expect("a certificate").pem()).expect("a file");
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A server's side, known as `name`.
    fn server(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // Fails only when there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).expect("a server's side");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// How a client asks for TLS.
#[derive(Clone, Copy)]
enum Opening {
    /// At once.
    Tls,
    /// With PostgreSQL's request: <https://www.postgresql.org/docs/17/protocol-flow.html#PROTOCOL-FLOW-SSL>.
    Postgres,
}

/// A port that takes encrypted connections and passes on to `target` what is in them. Ends with the test.
async fn front(target: String, acceptor: TlsAcceptor, opening: Opening) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            tokio::spawn(async move {
                if let Opening::Postgres = opening {
                    let mut request = [0; 8];
                    let asked = client.read_exact(&mut request).await;
                    // Whoever does not ask for TLS is sent away, as a server does that takes nothing else.
                    if asked.is_err() || request != [0, 0, 0, 8, 4, 210, 22, 47] {
                        return;
                    }
                    client.write_all(b"S").await.expect("an answer");
                }
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let Ok(mut server) = TcpStream::connect(&target).await else { return };
                // Either side may hang up as it likes.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

/// The same URL, with another way to get there.
fn by(url: &str, scheme: &str, host: &str, port: u16, query: &str) -> String {
    let url: Url = url.parse().expect("a URL");
    let mut by = Url::parse(&format!("{scheme}{}", &url.as_str()[url.scheme().len()..])).expect("a URL");
    by.set_host(Some(host)).expect("a host");
    by.set_port(Some(port)).expect("a port");
    by.set_query(Some(query).filter(|query| !query.is_empty()));
    by.into()
}

fn place(url: &str) -> String {
    let url: Url = url.parse().expect("a URL");
    let default = if url.scheme() == "amqp" { 5672 } else { 5432 };
    format!("{}:{}", url.host_str().expect("a host"), url.port_or_known_default().unwrap_or(default))
}

/// Variables that lead a program to everybody through encrypted ports.
struct Ways {
    database: u16,
    amqp: u16,
    twitch: u16,
    address: SocketAddr,
}

impl Ways {
    async fn open(rig: &Rig, authority: &Authority) -> Self {
        let address: SocketAddr = place(&rig.twitch.api_url()).parse().expect("an address");
        let server = authority.server("localhost");
        Self {
            database: front(place(&rig.database.plain_url()), server.clone(), Opening::Postgres).await,
            amqp: front(place(rig.amqp_url.expose_secret()), server.clone(), Opening::Tls).await,
            twitch: front(address.to_string(), server, Opening::Tls).await,
            address,
        }
    }

    /// The same URL, with another address after that of `host`: one where nobody is.
    fn and_where_nobody_is(&self, url: &str, host: &str) -> String {
        [self.database, self.amqp].iter().fold(url.to_owned(), |url, port| {
            url.replace(&format!("{host}:{port}"), &format!("{host}:{port},127.0.0.1:1"))
        })
    }

    /// For `program`; servers are called `host`, and trusted because of `file`.
    fn variables(&self, rig: &Rig, program: &str, host: &str, file: &str) -> Vec<(&'static str, String)> {
        let database = rig.database.url_of(program);
        let amqp = rig.amqp_url_of(program);
        let twitch = |url: String| by(&url, "https", host, self.twitch, "");
        assert_eq!(place(&rig.twitch.token_url()), self.address.to_string());
        let trust = format!("sslmode=verify-full&sslrootcert={file}");
        vec![
            ("DATABASE_URL", by(&database, "postgres", host, self.database, &trust)),
            ("AMQP_URL", by(amqp.expose_secret(), "amqps", host, self.amqp, &format!("cacertfile={file}"))),
            ("TWITCH_API_URL", twitch(rig.twitch.api_url())),
            ("TWITCH_TOKEN_URL", twitch(rig.twitch.token_url())),
            ("TWITCH_CA_BUNDLE", file.to_owned()),
        ]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_goes_over_encrypted_ways() {
    let folder = TempDir::new().expect("a folder");
    let rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
    let authority = Authority::new(&folder, "ca.pem");
    let ways = Ways::open(&rig, &authority).await;
    let file = authority.file.to_str().expect("a path");
    let programs = ["extractor", "game-enricher", "channel-enricher", "finalizer"];
    let processes = programs.map(|program| {
        let variables = ways.variables(&rig, program, "localhost", file);
        Process::start(&rig, program, &Options { variables, ..Options::default() })
    });
    for process in &processes {
        process.ready().await;
    }
    rig.whole_pull().await;
    for process in processes {
        process.terminate().await;
    }
    // The migrator has a driver of its own.
    let variables = ways.variables(&rig, "operator", "localhost", file);
    let trust = Url::parse(&variables[0].1).expect("a URL").query().expect("parameters").to_owned();
    let url = by(&rig.database.plain_url(), "postgres", "localhost", ways.database, &trust);
    let migrate =
        move || Command::new(binary("operator")).arg("migrate").env_clear().env("DATABASE_URL", url).output();
    let migrated = spawn_blocking(migrate).await.expect("no panic").expect("the operator");
    assert!(migrated.status.success(), "{migrated:?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_who_he_should_be_is_told_nothing() {
    let folder = TempDir::new().expect("a folder");
    let rig = Rig::new(World::generate(WorldConfig::plain(10))).await;
    let authority = Authority::new(&folder, "ca.pem");
    let stranger = Authority::new(&folder, "stranger.pem");
    let ways = Ways::open(&rig, &authority).await;
    let (file, strange) = (authority.file.to_str().expect("a path"), stranger.file.to_str().expect("a path"));
    let right = || ways.variables(&rig, "extractor", "localhost", file);
    // The certificate is by somebody else, or for another name.
    for (host, trusted, word) in
        [("localhost", strange, "UnknownIssuer"), ("127.0.0.1", file, "not valid for name")]
    {
        let wrong = ways.variables(&rig, "extractor", host, trusted);
        for name in ["DATABASE_URL", "AMQP_URL", "TWITCH_TOKEN_URL"] {
            let named = |(variable, _): &&(&'static str, String)| {
                *variable == name || (name == "TWITCH_TOKEN_URL" && variable.starts_with("TWITCH"))
            };
            let mut variables = right();
            variables.extend(wrong.iter().filter(named).cloned());
            // As `localhost` is, which has a second address in many places: nobody there must not hide what is wrong here.
            for (variable, url) in &mut variables {
                if !variable.starts_with("TWITCH") {
                    *url = ways.and_where_nobody_is(url, host);
                }
            }
            let process = Process::start(&rig, "extractor", &Options { variables, ..Options::default() });
            eventually(&format!("{name} by {host}: it should say {word}"), || async {
                let log = process.log();
                if log.iter().any(|line| line.contains(word)) { Ok(()) } else { Err(log) }
            })
            .await;
            // Of Twitch it knows nothing before its first call, so it may have been ready until then.
            let was_ready = process.log().iter().any(|line| line.contains("is ready"));
            assert!(name == "TWITCH_TOKEN_URL" || !was_ready, "{:#?}", process.log());
            process.terminate().await;
        }
    }
    rig.end(&[]).await;
}
