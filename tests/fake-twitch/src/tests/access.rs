//! Who is let in, and how often.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::Request;

use super::visitor::{FORM, Visitor};
use crate::{Endpoint, Settings, WorldConfig};

#[tokio::test]
async fn token_errors_have_their_own_shape() {
    let visitor = Visitor::to(WorldConfig::plain(1)).await;
    let cases = [
        (FORM.replace("fake-client-id", "someone-else"), 400, "invalid client"),
        (FORM.replace("fake-client-secret", "wrong"), 403, "invalid client secret"),
        (FORM.replace("client_id=fake-client-id&", ""), 400, "missing client id"),
        (FORM.replace("&client_secret=fake-client-secret", ""), 400, "missing client secret"),
        (FORM.replace("&grant_type=client_credentials", ""), 400, "missing grant type"),
        (FORM.replace("client_credentials", "password"), 400, "invalid grant type"),
    ];
    for (form, status, message) in cases {
        let got = visitor.post("/oauth2/token", &form).await;
        assert_eq!(got.json(), serde_json::json!({ "status": status, "message": message }));
        assert_eq!(got.status, status);
    }
    assert_eq!(visitor.twitch.stats().tokens_issued, 1);
}

#[tokio::test]
async fn a_token_may_be_asked_for_by_query_and_is_bearer() {
    let visitor = Visitor::to(WorldConfig::plain(1)).await;
    let got = visitor.post(&format!("/oauth2/token?{FORM}"), "").await.json();
    assert_eq!((got["token_type"].as_str(), got["expires_in"].as_u64()), (Some("bearer"), Some(5_011_271)));
    assert_ne!(got["access_token"], visitor.token.as_str(), "each is a new one");
}

#[tokio::test]
async fn the_api_asks_for_both_headers_and_that_they_match() {
    let visitor = Visitor::to(WorldConfig::plain(1)).await;
    let bearer = format!("Bearer {}", visitor.token);
    let cases = [
        (None, None, "Client ID is missing"),
        (Some("fake-client-id"), None, "OAuth token is missing"),
        (Some("fake-client-id"), Some("Bearer x"), "Invalid OAuth token"),
        (Some("fake-client-id"), Some(&visitor.token[..]), "Invalid OAuth token"),
        (Some("another"), Some(&bearer[..]), "Client ID and OAuth token do not match"),
    ];
    for (client, authorization, message) in cases {
        let mut request = Request::get("/helix/streams");
        let headers = [("client-id", client), ("authorization", authorization)];
        for (name, value) in headers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            request = request.header(name, value);
        }
        let got = visitor.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            got.json(),
            serde_json::json!({ "error": "Unauthorized", "status": 401, "message": message })
        );
    }
}

#[tokio::test]
async fn tokens_are_validated_and_may_die_early() {
    let visitor = Visitor::to(WorldConfig::plain(1)).await;
    let validate = |header: Option<String>| {
        let request = Request::get("/oauth2/validate");
        let request =
            header.into_iter().fold(request, |request, value| request.header("authorization", value));
        visitor.send(request.body(Body::empty()).unwrap())
    };
    let good = validate(Some(format!("OAuth {}", visitor.token))).await;
    assert_eq!((good.status, good.json()["client_id"].as_str()), (200, Some("fake-client-id")));
    assert_eq!(validate(None).await.json()["message"], "missing authorization token");
    visitor.post("/world/expire-token", "").await;
    let bad = validate(Some(format!("OAuth {}", visitor.token))).await;
    assert_eq!(bad.json(), serde_json::json!({ "status": 401, "message": "invalid access token" }));
    assert_eq!(visitor.get("streams").await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn a_token_lives_as_long_as_it_says() {
    let settings = Settings { token_lifetime: Duration::from_hours(1), ..Settings::default() };
    let visitor = Visitor::with(WorldConfig::plain(1), settings).await;
    tokio::time::advance(Duration::from_secs(3_599)).await;
    assert_eq!(visitor.get("streams").await.status, 200);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert_eq!(visitor.get("streams").await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn every_reply_tells_the_bucket_and_an_empty_one_refuses() {
    let settings = Settings { limit: 30, refill: 60, ..Settings::default() };
    let visitor = Visitor::with(WorldConfig::plain(1), settings).await;
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for spent in 1..=30 {
        let got = visitor.get("streams").await;
        assert_eq!((got.status, got.number("ratelimit-limit")), (200, 30));
        assert_eq!(got.number("ratelimit-remaining"), 30 - spent);
        let wait = got.number("ratelimit-reset") - start;
        assert!((2 * spent..=2 * spent + 2).contains(&wait), "{spent} missing, full in {wait} s");
    }
    let got = visitor.get("streams").await;
    assert_eq!((got.status, got.number("ratelimit-remaining")), (429, 0));
    assert_eq!(got.json()["error"], "Too Many Requests");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(visitor.get("streams").await.status, 200, "one point a second, though the header says half");
    assert_eq!(visitor.get("streams").await.status, 429);
    let stats = visitor.twitch.stats();
    assert_eq!((stats.points, stats.bucket_empty), (31, 2));
    assert_eq!(stats.replies(Endpoint::Streams, 429), 2);
}

#[tokio::test]
async fn what_nobody_knows_is_answered_by_the_cdn() {
    let visitor = Visitor::to(WorldConfig::plain(1)).await;
    for path in ["/nowhere", "/helix//streams", "/kraken/streams"] {
        let got = visitor.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!((got.status, got.json()), (503, serde_json::Value::Null), "{path}");
    }
    assert_eq!(visitor.get("clips").await.json()["error"], "Not Found");
}
