//! The scenarios in which replies are wrong, late or missing: a table of what one sees on the calls one after another.

use std::time::Duration;

use tokio::time::Instant;

use super::visitor::{FORM, Got, Visitor};
use crate::{Endpoint, SCENARIOS};

/// What a reply looks like to whoever reads it.
fn seen(got: &Got) -> String {
    let kind = got.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let body = match &got.body {
        None => "broken",
        Some(_) if kind.starts_with("text/html") => "html",
        Some(_) if got.json().is_null() => "garbage",
        Some(_) if got.status == 200 && got.json()["data"].is_null() => "null",
        Some(_) if got.status == 200 => "ok",
        Some(_) => return format!("{} {:?}", got.status, got.json()["message"].as_str().unwrap_or("?")),
    };
    format!("{} {body}", got.status)
}

#[tokio::test]
async fn replies_are_wrong_on_the_calls_the_scenario_names() {
    let every_fifth = |what: &'static str| ["200 ok", "200 ok", "200 ok", "200 ok", what, "200 ok"];
    let on_the_third = |what: &'static str| ["200 ok", "200 ok", what, "200 ok", "200 ok", "200 ok"];
    let table = [
        ("false-rate-limit", every_fifth("429 \"Too Many Requests\"")),
        ("server-errors", every_fifth("500 \"\"")),
        ("unavailable", every_fifth("503 html")),
        ("html-200", every_fifth("200 html")),
        ("malformed-json", every_fifth("200 garbage")),
        ("cut-json", every_fifth("200 garbage")),
        ("cut-off", every_fifth("200 broken")),
        ("reset", every_fifth("200 broken")),
        ("null-data", on_the_third("200 null")),
        ("outage", ["503 html"; 6]),
        ("unauthorized", ["401 \"Invalid OAuth token\""; 6]),
    ];
    for (scenario, expected) in table {
        let visitor = Visitor::during(scenario, 300).await;
        let mut calls = Vec::new();
        for path in ["streams", "games?id=1", "streams", "users?id=1", "users?id=2", "streams"] {
            let got = visitor.get(path).await;
            assert!(got.number("ratelimit-remaining") > 700, "{scenario}: points are left");
            calls.push(seen(&got));
        }
        assert_eq!(calls, expected, "{scenario}");
    }
}

#[tokio::test]
async fn a_token_dies_once_and_a_new_one_works() {
    let mut visitor = Visitor::during("unauthorized-once", 10).await;
    for status in [200, 200, 401, 401] {
        assert_eq!(visitor.get("streams").await.status, status);
    }
    visitor.renew().await;
    for _ in 0..5 {
        assert_eq!(visitor.get("streams").await.status, 200);
    }
}

#[tokio::test]
async fn the_token_endpoint_fails_as_told() {
    let visitor = Visitor::during("wrong-secret", 10).await;
    let got = visitor.post("/oauth2/token", FORM).await;
    assert_eq!(got.json(), serde_json::json!({ "status": 403, "message": "invalid client secret" }));
    assert_eq!(visitor.get("streams").await.status, 200, "a token had before still works");
    let visitor = Visitor::during("token-endpoint-down", 10).await;
    for status in [503, 503, 200] {
        assert_eq!(visitor.post("/oauth2/token", FORM).await.status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_drained_bucket_is_a_true_429() {
    let visitor = Visitor::during("rate-limited", 10).await;
    for _ in 0..2 {
        assert_eq!(visitor.get("streams").await.status, 200);
    }
    let got = visitor.get("streams").await;
    assert_eq!((got.status, got.number("ratelimit-remaining")), (429, 0));
    assert_eq!(visitor.get("streams").await.status, 429, "it stays empty");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(visitor.get("streams").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn slow_answers_are_late_and_right() {
    for (scenario, calls, late) in [("slow", 5, 2), ("hang", 3, 600)] {
        let visitor = Visitor::during(scenario, 10).await;
        let start = Instant::now();
        for _ in 0..calls {
            assert_eq!(visitor.get("streams").await.ids().len(), 10);
        }
        assert_eq!(start.elapsed().as_secs(), late, "{scenario}");
    }
}

#[tokio::test]
async fn one_sound_id_spoils_its_batch() {
    for (scenario, status) in [("bad-batch", 400), ("broken-batch", 500)] {
        let visitor = Visitor::during(scenario, 100).await;
        let ids: Vec<&str> = visitor.world().streams().iter().map(|stream| stream.user_id.as_str()).collect();
        let batch = |ids: &[&str]| {
            format!("users?{}", ids.iter().map(|id| format!("id={id}")).collect::<Vec<_>>().join("&"))
        };
        assert_eq!(visitor.get(&batch(&ids)).await.status, status);
        let (bad, good) = ids.split_last().unwrap();
        assert_eq!(visitor.get(&batch(&[bad])).await.status, status);
        assert_eq!(visitor.get(&batch(good)).await.ids(), good);
    }
}

#[tokio::test]
async fn a_removed_endpoint_is_gone_and_the_others_are_not() {
    let visitor = Visitor::during("users-gone", 10).await;
    let user = &visitor.world().streams()[0].user_id;
    assert_eq!(visitor.get(&format!("users?id={user}")).await.status, 410);
    assert_eq!(visitor.get("streams").await.status, 200);
}

#[tokio::test]
async fn bad_weather_strikes_sometimes_and_the_same_way_each_time() {
    let mut first = None;
    for _ in 0..2 {
        let visitor = Visitor::during("bad-weather", 10).await;
        let mut calls = Vec::new();
        for _ in 0..300 {
            calls.push(seen(&visitor.get("streams").await));
        }
        let bad = calls.iter().filter(|call| *call != "200 ok").count();
        assert!((10..=60).contains(&bad), "{bad} of 300");
        assert!(
            visitor.twitch.stats().replies(Endpoint::Streams, 0) > 0,
            "closed connections are counted as 0"
        );
        assert_eq!(first.get_or_insert_with(|| calls.clone()), &calls);
    }
}

#[test]
fn every_scenario_is_named_in_a_test() {
    let tests = [include_str!("damaged.rs"), include_str!("sweeps.rs"), include_str!("defects.rs")].concat();
    for scenario in SCENARIOS {
        assert!(tests.contains(&format!("\"{}\"", scenario.name)), "{} has no test", scenario.name);
        assert_eq!(scenario.name.parse::<crate::Scenario>().unwrap().about, scenario.about);
    }
}
