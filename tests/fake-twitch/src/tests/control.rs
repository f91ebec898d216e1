//! The world over HTTP: its truth is the library's, and its faults can be changed.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::visitor::{Got, Visitor};
use crate::WorldConfig;

async fn ask(visitor: &Visitor, path: &str) -> Got {
    visitor.send(Request::get(format!("/world/{path}")).body(Body::empty()).unwrap()).await
}

fn lines(got: &Got) -> Vec<Value> {
    let text = String::from_utf8_lossy(got.body.as_ref().unwrap()).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn the_truth_is_told_line_by_line() {
    let visitor = Visitor::to(WorldConfig::sized(200)).await;
    let world = visitor.world();
    world.defects.inject(4, crate::Defect::EmptyId);
    let told = lines(&ask(&visitor, "truth/streams").await);
    assert_eq!(told, world.streams().iter().map(|stream| json!(stream)).collect::<Vec<_>>());
    assert_eq!(lines(&ask(&visitor, "truth/games").await).len(), world.games().len());
    assert_eq!(lines(&ask(&visitor, "truth/users").await).len(), 500 - world.banned().count());
    assert_eq!(
        lines(&ask(&visitor, "truth/banned").await),
        world.banned().map(Value::from).collect::<Vec<_>>()
    );
    let defects = lines(&ask(&visitor, "truth/defects").await);
    assert_eq!(defects, [json!({ "defect": "empty-id", "number": 4, "stream_id": world.streams()[4].id })]);
}

#[tokio::test]
async fn faults_are_set_by_name_or_by_json() {
    let visitor = Visitor::to(WorldConfig::plain(50)).await;
    assert_eq!(visitor.post("/world/faults", "outage").await.status, 200);
    assert_eq!(visitor.get("streams").await.status, 503);
    let wish = json!({
        "scenarios": ["unauthorized-once"],
        "faults": [{ "effect": { "status": { "code": 500, "message": "" } }, "endpoint": "users" }],
        "defects": [{ "defect": "nul-in-title", "number": 3 }],
    });
    let set = visitor.post("/world/faults", &wish.to_string()).await;
    assert_eq!(set.json().as_array().map(Vec::len), Some(2));
    assert_eq!(ask(&visitor, "faults").await.json(), set.json());
    assert_eq!(visitor.get("users?id=1").await.status, 500);
    assert_eq!(visitor.get("streams").await.status, 200);
    visitor.post("/world/faults", r#"{"keep": true, "scenarios": ["reset"]}"#).await;
    assert_eq!(visitor.world().faults.list().len(), 3);
    for nonsense in ["sunshine", "{", r#"{"fault": []}"#, r#"{"faults": [{"effect": "boom"}]}"#] {
        assert_eq!(visitor.post("/world/faults", nonsense).await.status, 400, "{nonsense}");
    }
    visitor.post("/world/faults", "").await;
    assert_eq!((visitor.world().faults.list().len(), visitor.world().injected().len()), (0, 0));
}

#[tokio::test]
async fn what_was_asked_is_counted() {
    let visitor = Visitor::to(WorldConfig::plain(150)).await;
    visitor.pages("first=100", 10).await;
    visitor.get("games?id=7&id=7&id=8").await;
    visitor.get("streams?first=1000").await;
    let stats = ask(&visitor, "stats").await.json();
    assert_eq!(
        (&stats["pages"], &stats["points"], &stats["tokens_issued"]),
        (&json!(2), &json!(4), &json!(1))
    );
    assert_eq!(stats["endpoints"]["streams"]["statuses"], json!({ "200": 2, "400": 1 }));
    assert_eq!(
        stats["endpoints"]["games"]["ids"],
        json!({ "total": 3, "distinct": 2, "repeated": 1, "most": 2 })
    );
    visitor.post("/world/stats/reset", "").await;
    assert_eq!(ask(&visitor, "stats").await.json()["endpoints"], json!({}));
}
