//! Over a real connection: whole, broken off, closed without a word.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::visitor::FORM;
use crate::{Effect, FakeTwitch, Fault, World, WorldConfig};

async fn ask(twitch: &FakeTwitch, head: &str, body: &str) -> String {
    let mut connection = TcpStream::connect(twitch.address()).await.unwrap();
    let request =
        format!("{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap_or_default();
    String::from_utf8_lossy(&answer).into_owned()
}

fn split(answer: &str) -> (usize, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    (length.parse().unwrap(), body)
}

#[tokio::test]
async fn connections_end_as_the_fault_says() {
    let twitch = FakeTwitch::start(World::generate(WorldConfig::plain(120))).await;
    assert!(twitch.api_url().ends_with("/helix/") && twitch.token_url().ends_with("/oauth2/token"));
    let answer = ask(&twitch, "POST /oauth2/token HTTP/1.1", FORM).await;
    let token: serde_json::Value = serde_json::from_str(split(&answer).1).unwrap();
    let head = format!(
        "GET /helix/streams?first=100 HTTP/1.1\r\nclient-id: {}\r\nauthorization: Bearer {}",
        twitch.client_id(),
        token["access_token"].as_str().unwrap()
    );
    let whole = ask(&twitch, &head, "").await;
    assert!(whole.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(split(&whole).0, split(&whole).1.len());

    twitch.faults(|faults| faults.push(Fault::new(Effect::CutOff)));
    let cut = ask(&twitch, &head, "").await;
    let (announced, body) = split(&cut);
    assert_eq!((announced, body.len()), (split(&whole).0, announced / 2));

    twitch.faults(|faults| {
        faults.clear();
        faults.push(Fault::new(Effect::NoReply));
    });
    assert_eq!(ask(&twitch, &head, "").await, "");
    assert_eq!(twitch.stats().pages, 2);
}

#[tokio::test]
async fn it_is_gone_when_dropped() {
    let twitch = FakeTwitch::start(World::generate(WorldConfig::plain(1))).await;
    let address = twitch.address();
    assert!(ask(&twitch, "GET /livez HTTP/1.1", "").await.contains("alive"));
    drop(twitch);
    // The listener goes as soon as its task has run once more.
    let gone = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.unwrap();
}
