//! The documents others read, against golden files: exact keys, nulls and types of numbers.

use chrono::{DateTime, TimeDelta, Utc};
use fake_twitch::{World, WorldConfig};
use serde_json::{Value, json, value::RawValue};
use shared::{
    schema::{Absence, Channel, ChunkRef, Game, Missing, Record, validate},
    store::{Kind, NewPage},
};
use tokio_postgres::Client;

use crate::{builders::store_as, rig::Rig};

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../golden/", $name, ".json"))
    };
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("a golden file is JSON")
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// When the fixture was pulled.
fn noon() -> DateTime<Utc> {
    time("2026-11-23T12:00:00Z")
}

/// The streams of the fixture.
fn records() -> Vec<Record> {
    let raws: Vec<Box<RawValue>> = serde_json::from_str(golden!("page")).expect("a page");
    raws.iter().map(|raw| validate(raw, 10).expect("a sound record").record).collect()
}

/// Stores a pull of one page.
async fn store(rig: &Rig, records: &[Record]) -> ChunkRef {
    let pull = rig.store.request_pull("test", noon()).await.expect("a pull");
    let so_far = rig.store.extraction(pull, "test", noon()).await.expect("a pull").expect("ours alone");
    let page = NewPage {
        fetched: i32::try_from(records.len()).expect("a short page"),
        records,
        rejects: &[],
        next_cursor: None,
        nul_replaced: 0,
        helix_calls: 1,
    };
    let stored = store_as(&rig.store, &so_far, &page, true, noon()).await;
    stored.chunk
}

/// The one game the fixture's Twitch knows.
fn game() -> Game {
    Game {
        id: "1469308723".parse().expect("an id"),
        name: "Software and Game Development".into(),
        box_art_url: "https://static-cdn.jtvnw.net/ttv-boxart/1469308723-{width}x{height}.jpg".into(),
        igdb_id: String::new(),
    }
}

/// The two channels it knows.
fn channels() -> [Channel; 2] {
    let partner = Channel {
        id: "141981764".parse().expect("an id"),
        login: "twitchdev".into(),
        display_name: "TwitchDev".into(),
        profile_image_url: "https://static-cdn.jtvnw.net/jtv_user_pictures/p.png".into(),
        offline_image_url: String::new(),
        view_count: 0,
        broadcaster_type: "partner".into(),
        description: "Supporting \"third-party\" developers".into(),
        created_at: Some(time("2016-12-14T20:32:28Z")),
    };
    let plain = Channel {
        id: "459331509".parse().expect("an id"),
        login: "auronplay".into(),
        display_name: "아우론".into(),
        profile_image_url: String::new(),
        offline_image_url: "https://static-cdn.jtvnw.net/jtv_user_pictures/o.png".into(),
        view_count: 5_000_000_000,
        broadcaster_type: String::new(),
        description: String::new(),
        created_at: Some(time("2019-09-06T13:04:27.123456Z")),
    };
    [partner, plain]
}

/// Learns what Twitch knows, and that it knows nothing of the rest.
async fn fill(rig: &Rig, chunk: ChunkRef) {
    let absent = |id: &str| [Missing { id: id.to_owned(), reason: Absence::Absent, seen: chunk }];
    let store = &rig.store;
    store.keep_games(&[game()], &absent("404404"), chunk, noon()).await.expect("kept");
    store.filled(Kind::Game, &[chunk], 0, noon()).await.expect("filled");
    store.keep_channels(&channels(), &absent("12345"), chunk, noon()).await.expect("kept");
    store.filled(Kind::Channel, &[chunk], 0, noon()).await.expect("filled");
}

/// The fixture's documents, in the page's order.
async fn documents(db: &Client) -> Value {
    let sql =
        "select data from pull_document order by array_position('{316000000001,41375541868,7}', stream_id)";
    db.query(sql, &[]).await.expect("documents").iter().map(|row| row.get::<_, Value>(0)).collect()
}

/// What those who come from the old flow read: their rows, as text, because `jsonb` would change numbers.
async fn legacy(db: &Client) -> Value {
    let row = db.query_one("select data::text from legacy_pull_data", &[]).await.expect("one row a chunk");
    serde_json::from_str(row.get(0)).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fixed_page_gives_exactly_the_written_documents() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let chunk = store(&rig, &records()).await;
    assert_eq!(documents(&rig.db).await, json(golden!("documents-unfilled")));
    assert_eq!(legacy(&rig.db).await, json(golden!("legacy-unfilled")));

    fill(&rig, chunk).await;
    rig.store.merge(&[chunk], noon() + TimeDelta::minutes(5)).await.expect("merged");
    assert_eq!(documents(&rig.db).await, json(golden!("documents")));
    assert_eq!(legacy(&rig.db).await, json(golden!("legacy")));
    let written = rig.db.query("select data from pull_data", &[]).await.expect("rows");
    assert!(written.iter().all(|row| row.get::<_, Value>(0).is_object()), "the view shows the rows' own");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_without_streams_is_a_row_without_streams() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    store(&rig, &[]).await;
    assert_eq!(legacy(&rig.db).await, json!({"_total": 0, "streams": []}));
    rig.end(&[]).await;
}
