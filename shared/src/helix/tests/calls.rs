//! What becomes of a call: its query, its status, its body, and when it is made again.

use std::time::Duration;

use super::*;
use crate::{
    schema::{ChannelId, GameId},
    version::VERSION,
};

const MEGABYTE: usize = 1 << 20;

/// The call, which can be made from a task of its own.
fn sent<T: Send>(call: T) -> T {
    call
}

#[tokio::test]
async fn a_call_has_its_query_headers_and_address() {
    let world = World::with([]).await;
    world.client.streams(None).await.unwrap();
    world.client.streams(Some("a+b/c=&x")).await.unwrap();
    let ids: [ChannelId; 2] = ["1", "22"].map(|id| id.parse().unwrap());
    sent(world.client.users(&ids)).await.unwrap();
    sent(world.client.validate_token()).await.unwrap();

    let asked = world.server.asked("");
    let uris: Vec<_> = asked.iter().map(|asked| asked.uri.to_string()).collect();
    assert_eq!(
        uris,
        [
            "/prefix/oauth2/token",
            "/prefix/helix/streams?first=100",
            "/prefix/helix/streams?first=100&after=a%2Bb%2Fc%3D%26x",
            "/prefix/helix/users?id=1&id=22",
            "/prefix/oauth2/validate",
        ]
    );
    let headers = &asked[1].headers;
    assert_eq!(headers["authorization"], "Bearer token-1");
    assert_eq!(headers["client-id"], CLIENT_ID);
    assert_eq!(headers["accept-encoding"], "gzip");
    assert!(headers["user-agent"].to_str().unwrap().contains(VERSION));
    assert_eq!(world.client.calls(), 3, "calls about tokens are none");
}

#[tokio::test]
async fn the_number_of_ids_is_bounded_without_a_call() {
    let world = World::with([]).await;
    let ids: Vec<GameId> = (1..=101).map(|id| id.to_string().parse().unwrap()).collect();
    assert!(world.client.games(&[]).await.unwrap().found.is_empty());
    assert_eq!(verdict(world.client.games(&ids).await), (Class::Permanent, "helix.too_many_ids"));
    assert_eq!(world.client.calls(), 0);
    sent(world.client.games(&ids[..100])).await.unwrap();
}

#[tokio::test]
async fn every_answer_has_its_meaning() {
    let html = "<html><body>Service Unavailable</body></html>";
    let twitch = |status, message: &str| {
        Answer::new(status, format!(r#"{{"error":"E","status":{status},"message":"{message}"}}"#))
    };
    for (answer, class, code, calls) in [
        (twitch(400, "Invalid cursor."), Class::Permanent, "helix.bad_request", 1),
        (twitch(410, "gone"), Class::Permanent, "helix.gone", 1),
        (twitch(429, "Too Many Requests"), Class::RateLimited, "helix.rate_limited", 1),
        (twitch(500, ""), Class::Transient, "helix.server_error", 1),
        (Answer::new(503, html), Class::Transient, "helix.server_error", 2),
        (twitch(404, "?"), Class::Transient, "helix.unexpected_status", 1),
        (Answer::new(302, "").with("location", "/elsewhere"), Class::Transient, "helix.unexpected_status", 1),
        (Answer::new(200, html), Class::Transient, "helix.malformed", 1),
        (Answer::new(200, r#"{"data":[{"id":"#), Class::Transient, "helix.malformed", 1),
        (Answer::new(200, r#"{"data":[{"id":"#).broken(), Class::Transient, "helix.malformed", 1),
        (Answer::new(204, ""), Class::Transient, "helix.malformed", 1),
        (Answer::new(200, " ".repeat(9 * MEGABYTE)), Class::Transient, "helix.too_large", 1),
        (Answer::new(200, "").with("content-encoding", "gzip"), Class::Transient, "helix.malformed", 1),
    ] {
        let world = World::with([("/games", vec![answer])]).await;
        let outcome = world.client.games(&["1".parse().unwrap()]).await;
        assert_eq!(outcome.as_ref().unwrap_err().is_bad_request(), code == "helix.bad_request");
        assert_eq!(verdict(outcome), (class, code));
        let probes = u64::from(class == Class::Transient);
        assert_eq!(world.client.calls(), calls + probes, "{code}");
        assert!(world.server.asked("/elsewhere").is_empty(), "a token is not carried elsewhere");
    }
}

#[tokio::test]
async fn an_error_says_what_twitch_said() {
    let world = World::with([("/streams", vec![Answer::new(400, r#"{"message":"Invalid cursor."}"#)])]).await;
    let error = world.client.streams(Some("x")).await.unwrap_err();
    assert_eq!(error.to_string(), "Twitch rejected the request to /streams (400): Invalid cursor.");
}

#[tokio::test]
async fn a_503_is_tried_again_at_once_and_once() {
    let world = World::with([("/streams", vec![Answer::new(503, ""), Answer::empty()])]).await;
    world.client.streams(None).await.unwrap();
    assert_eq!(world.client.calls(), 2);
}

#[tokio::test]
async fn a_broken_connection_is_tried_again_at_once_and_once() {
    let world = World::with([]).await;
    world.client.streams(None).await.unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let app = App {
        client_id: CLIENT_ID.into(),
        client_secret: CLIENT_SECRET.into(),
        api_url: format!("http://{nobody}/helix").parse().unwrap(),
        token_url: world.server.url("/oauth2/token"),
        ca_bundle: None,
        reserved_points: 0,
    };
    let client = Client::of(app, Arc::clone(&world.token_store), world.clock.clone()).unwrap();
    let error = client.streams(Some("a-cursor")).await.unwrap_err();
    assert_eq!(client.calls(), 4, "the call and a probe, twice each");
    let failure = Failure::from(error);
    assert_eq!((failure.class, failure.code), (Class::Outage, "helix.outage"));
    assert!(!failure.causes.is_empty() && !failure.to_string().contains("a-cursor"), "{failure}");
}

#[tokio::test]
async fn a_429_keeps_all_calls_back_until_the_bucket_is_full() {
    let refusal = Answer::new(429, "")
        .with("ratelimit-limit", "800")
        .with("ratelimit-remaining", "0")
        .with("ratelimit-reset", "1700000040");
    let world = World::with([("/streams", vec![refusal, Answer::empty()])]).await;
    for _ in 0..3 {
        let failure = Failure::from(world.client.streams(None).await.unwrap_err());
        assert_eq!(failure.class, Class::RateLimited);
        assert_eq!(failure.retry_after, Some(Duration::from_secs(40)));
    }
    assert_eq!(world.client.calls(), 1, "what would be refused is not sent");
    let other = world.another(CLIENT_SECRET);
    let failure = Failure::from(other.games(&["1".parse().unwrap()]).await.unwrap_err());
    assert_eq!((failure.class, other.calls()), (Class::RateLimited, 0), "and all processes know");
    assert_eq!(world.client.budget().remaining, 0);
    world.clock.advance(chrono::TimeDelta::seconds(40));
    world.client.streams(None).await.unwrap();
}

#[tokio::test]
async fn the_budget_follows_the_answers() {
    let spent = |left| Answer::empty().with("ratelimit-limit", "800").with("ratelimit-remaining", left);
    let world = World::with([("/streams", vec![spent("500"), spent("10")])]).await;
    world.client.streams(None).await.unwrap();
    assert_eq!((world.client.budget().remaining, world.client.budget().limit), (501, 800));
    world.client.streams(None).await.unwrap();
    world.client.streams(None).await.expect("the second point of a lease");
    for client in [&world.client, &world.another(CLIENT_SECRET)] {
        let failure = Failure::from(client.streams(None).await.unwrap_err());
        assert_eq!(failure.retry_after, Some(Duration::from_millis(2_350)), "the reserve, at 800 a minute");
        assert_eq!(failure.class, Class::RateLimited);
    }
    assert_eq!(world.client.calls(), 3);
}

#[tokio::test]
async fn plenty_of_points_are_drawn_with_few_statements() {
    let plenty = Answer::empty().with("ratelimit-limit", "800").with("ratelimit-remaining", "799");
    let world = World::with([("/streams", vec![plenty])]).await;
    for _ in 0..300 {
        world.client.streams(None).await.unwrap();
    }
    let (_, draws) = world.token_store.bucket.lock().unwrap().clone();
    assert!(draws <= 20, "{draws} draws for 300 calls");
}

#[tokio::test]
async fn no_message_pays_for_a_budget_that_cannot_be_reached() {
    let away = Failure::transient("store.deadlock", "in a deadlock");
    let world = World::start([], MemoryVault { away_bucket: Some(away), ..MemoryVault::default() }).await;
    assert_eq!(verdict(world.client.streams(None).await), (Class::Outage, "store.deadlock"));
    assert_eq!(world.client.calls(), 0);
}

#[tokio::test]
async fn a_short_wait_for_a_point_is_not_the_callers_business() {
    let low = Answer::empty().with("ratelimit-limit", "60000").with("ratelimit-remaining", "3000");
    let mut world = World::with([("/streams", vec![low, Answer::empty()])]).await;
    world.clock = Clock::System;
    let client = world.another(CLIENT_SECRET);
    client.streams(None).await.unwrap();
    client.streams(None).await.unwrap();
    assert_eq!(client.calls(), 2);
}
