//! The end of a pull, told to whatever comes next: the event says what the database says.

use chrono::{DateTime, Utc};
use fake_twitch::{Effect, Endpoint, Fault, World, WorldConfig};
use serde_json::{Map, Value};
use shared::schema::{PullClosed, PullStatus, encode};

use crate::{rig::Rig, truth::assert_matches_world, wire::Listener};

/// What is said and what is stored write times differently, and mean the same.
fn comparable(value: &Value) -> Value {
    match value.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok()) {
        Some(time) => time.timestamp_micros().into(),
        None => value.clone(),
    }
}

/// Shows that every member of the event is the pull's column of that name.
async fn assert_told_truly(rig: &Rig, event: &PullClosed) {
    let sql = "select to_jsonb(p) || jsonb_build_object('pull_id', id) from pull p where id = $1";
    let row: Value = rig.db.query_one(sql, &[&event.pull_id.0]).await.expect("a pull").get(0);
    let told: Map<String, Value> = serde_json::from_slice(&encode(event)).expect("JSON");
    assert_eq!(told.len(), 22);
    for (member, value) in told.iter().filter(|(member, _)| !["kind", "version"].contains(&member.as_str())) {
        // A pull that failed has not counted yet; the event says nought.
        let stored = if row[member].is_null() && value.is_i64() { &Value::from(0) } else { &row[member] };
        assert_eq!(comparable(value), comparable(stored), "{member}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_event_of_a_pull_is_its_row() {
    let world = WorldConfig { unknown_games: 2, banned: 0.02, tail: 50, ..WorldConfig::plain(250) };
    let mut rig = Rig::new(World::generate(world)).await;
    let listener = Listener::new(&rig).await;
    rig.start_all();
    let pull = rig.pull().await;
    let event = listener.hears(pull, PullStatus::Success).await;
    // Told after it was committed: nobody who hears it finds less.
    assert_matches_world(&rig.db, pull, rig.twitch.world(), 10).await;
    assert_told_truly(&rig, &event).await;
    assert_eq!((event.stored, event.rejected, event.channels_missing, event.games_missing), (250, 50, 5, 2));

    let gone = Effect::Status { code: 410, message: "gone".into() };
    rig.twitch.faults(|faults| faults.push(Fault::new(gone).on(Endpoint::Streams)));
    let pull = rig.pull().await;
    let event = listener.hears(pull, PullStatus::Failed).await;
    assert_told_truly(&rig, &event).await;
    assert!(event.error.as_deref().is_some_and(|error| error.starts_with("extractor: ")), "{event:?}");
    rig.end(&[("streams.rejected", 1), ("extractor.dead", 1)]).await;
}
