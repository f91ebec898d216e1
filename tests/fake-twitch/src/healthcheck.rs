//! Asks a running server whether it lives, for images that have no shell to do so.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(3);

/// Fails unless `/livez` answers 200.
pub(crate) async fn check(listen: SocketAddr) -> io::Result<()> {
    if listen.port() == 0 {
        return Err(io::Error::other("the address has no fixed port to ask at"));
    }
    tokio::time::timeout(PATIENCE, ask(reachable(listen))).await?
}

async fn ask(address: SocketAddr) -> io::Result<()> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    if answer.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(io::Error::other("the server is not well")) }
}

/// An address that stands for all of a machine is asked at its loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fake_twitch::{FakeTwitch, World, WorldConfig};

    #[tokio::test]
    async fn a_running_server_lives_and_a_gone_one_does_not() {
        let twitch = FakeTwitch::start(World::generate(WorldConfig::plain(1))).await;
        let address = twitch.address();
        check(address).await.unwrap();
        assert!(check(SocketAddr::from(([127, 0, 0, 1], 0))).await.is_err());
        assert_eq!(reachable("0.0.0.0:80".parse().unwrap()), "127.0.0.1:80".parse().unwrap());
    }
}
