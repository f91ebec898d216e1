//! Records that are rejected: a pull of them is no success, and each can be read, whatever made it bad.

use fake_twitch::{Defect, World, WorldConfig};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, LongString},
};
use secrecy::ExposeSecret;
use serde_json::value::RawValue;
use shared::{
    runtime::Announcer,
    schema::{ChannelsFilled, ChunkRef, PullStatus, Rejected},
    store::NewPage,
    topology::{FINALIZER, REJECTED},
};

use crate::{
    builders::{now, store_as},
    dead_letter_rig::{operator, operator_json},
    eventually::eventually,
    rig::Rig,
    services::Vhost,
    wire::Listener,
};

/// A world with an audience of `streams`, of which so many have a viewer count that is a text.
fn with_defects(streams: usize, defective: usize) -> World {
    let world = World::generate(WorldConfig::plain(streams));
    world.spread(&[Defect::TextViewerCount], defective, 10);
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_of_rejects_fails_once_and_succeeds_when_they_are_let_in() {
    let mut rig = Rig::new(with_defects(250, 250)).await;
    let listener = Listener::new(&rig).await;
    rig.start_all();
    let pull = rig.pull().await;
    let report = rig.ended(pull).await;
    assert_eq!((report.status.as_str(), report.whole), ("failed", Some(true)), "{report:#?}");
    let error = "250 of 250 records were rejected: 250 viewer-count-not-a-number";
    assert_eq!(report.error.as_deref(), Some(error));
    assert_eq!(report.stop_reason.as_deref(), Some("end"));
    listener.hears(pull, PullStatus::Failed).await;
    let (code, out, _) = operator(&rig, "status").await;
    assert!(code == 1 && out.contains("250 records rejected (250 viewer-count-not-a-number)"), "{out}");

    // A second delivery of the last chunk changes nothing.
    let chunk = ChunkRef { pull_id: pull, pulled_at: report.started_at, chunk: report.chunks };
    rig.announcer.announce(vec![FINALIZER.request(&ChannelsFilled(chunk))]).await.expect("announced");
    listener.hears(pull, PullStatus::Failed).await;
    assert_eq!(rig.ended(pull).await, report);

    // As if a build came whose rule takes a count that is a text.
    let sound = r#"update pull_chunk set rejects =
        regexp_replace(rejects, '\\"viewer_count\\":\\"(\d+)\\"', '\\"viewer_count\\":\1', 'g')"#;
    rig.db.batch_execute(sound).await.expect("they are sound now");
    let entered = operator_json(&rig, &format!("rejected replay --pull {pull} --yes")).await;
    assert_eq!(entered["entered"], 250);
    let report = eventually("the pull should succeed", || async {
        let report = rig.store.pull_report(pull).await.expect("a report");
        if report.status == "success" { Ok(report) } else { Err(report) }
    })
    .await;
    assert_eq!((report.stored, report.rejected, report.channels_filled), (250, 0, Some(250)));
    listener.hears(pull, PullStatus::Success).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_with_some_rejects_succeeds_and_tells() {
    let mut rig = Rig::new(with_defects(200, 80)).await;
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_eq!((report.stored, report.rejected), (120, 80));
    let (code, out, _) = operator(&rig, "status").await;
    assert!(code == 0 && out.contains("80 records rejected (80 viewer-count-not-a-number)"), "{out}");
    rig.end(&[(REJECTED, 2)]).await;
}

/// Records as PostgreSQL cannot hold them, and what a person should read as their title.
const NASTY: [(&str, Option<&str>); 13] = [
    (r#"{"title":"\ud83d"}"#, Some("\u{FFFD}")),
    (r#"{"title":"\udc00x"}"#, Some("\u{FFFD}x")),
    (r#"{"title":"\ud83d\ud83d\ude00"}"#, Some("\u{FFFD}😀")),
    (r#"{"title":"\ud83d\ude00\ude00"}"#, Some("😀\u{FFFD}")),
    (r#"{"title":"\uD83Dx\uDE00"}"#, Some("\u{FFFD}x\u{FFFD}")),
    (r#"{"title":"a\u0000b"}"#, Some("a\u{FFFD}b")),
    (r#"{"title":"\\u0000 \\\u0000 \\\\ud83d \\\ud83d"}"#, Some("\\u0000 \\\u{FFFD} \\\\ud83d \\\u{FFFD}")),
    (r#"{"title":"t","n":1e999999}"#, Some("t")),
    (r#"{"\u0000":"\ud83d","title":"t"}"#, Some("t")),
    (r#"{"title":"s","title":"t"}"#, Some("t")),
    (r#""\ud800""#, None),
    ("null", None),
    ("[1]", None),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_record_can_always_be_looked_into() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let pull = rig.store.request_pull("test", now()).await.expect("a pull");
    let so_far = rig.store.extraction(pull, "test", now()).await.expect("a pull").expect("ours alone");
    let reject = |(place, (raw, _)): (i32, &(&str, Option<&str>))| Rejected {
        place,
        rule: "malformed-json".into(),
        detail: "nasty \\ud83d \u{1}".into(),
        raw: RawValue::from_string((*raw).to_owned()).expect("JSON"),
    };
    let rejects: Vec<Rejected> = (1..).zip(&NASTY).map(reject).collect();
    let page = NewPage {
        fetched: i32::try_from(rejects.len()).expect("a few"),
        records: &[],
        rejects: &rejects,
        next_cursor: None,
        nul_replaced: 0,
        helix_calls: 1,
    };
    store_as(&rig.store, &so_far, &page, true, now()).await;

    let sql = "select raw->>'title' as title, raw_text, raw->>'id' as id from rejected_record order by place";
    let rows = rig.db.query(sql, &[]).await.expect("every record should be readable");
    let read: Vec<(Option<&str>, &str)> =
        rows.iter().map(|row| (row.get("title"), row.get("raw_text"))).collect();
    let expected: Vec<(Option<&str>, &str)> = NASTY.iter().map(|(raw, title)| (*title, *raw)).collect();
    assert_eq!(read, expected);

    // As builds before schema 6 kept them: the record itself, not its text.
    let old = r#"update pull_chunk set rejects = '[{"place":1,"rule":"r","detail":"d","raw":{"title":"\ud83d\\u0000"}},
        {"place":2,"rule":"r","detail":"\u0000","raw":"text"}]'"#;
    rig.db.batch_execute(old).await.expect("old entries");
    let rows = rig.db.query(sql, &[]).await.expect("old entries should be readable");
    assert_eq!(rows[0].get::<_, Option<&str>>(0), Some("\u{FFFD}\\u0000"));
    assert_eq!(rows.len(), 2);
    rig.end(&[]).await;
}

fn arguments(numbers: &[(&str, i64)]) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("classic")));
    for (name, number) in numbers {
        table.insert((*name).into(), AMQPValue::LongLongInt(*number));
    }
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_of_older_builds_is_made_anew_within_its_bounds() {
    let vhost = Vhost::create().await;
    let url = vhost.url();
    let connection = Connection::connect(url.expose_secret(), ConnectionProperties::default());
    let connection = connection.await.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare(REJECTED.into(), durable, arguments(&[])).await.expect("as older builds had it");
    let options = BasicPublishOptions::default();
    let published =
        channel.basic_publish("".into(), REJECTED.into(), options, b"{}", BasicProperties::default()).await;
    published.expect("published");

    let delays = "1s".parse().expect("delays");
    let (announcer, _connection) = Announcer::connect(&url, &delays, "test").await.expect("declared");
    let depths = announcer.depths().await.expect("depths");
    let rejected = depths.iter().find(|queue| queue.name == REJECTED).expect("it is there");
    assert_eq!(rejected.ready, Some(0), "its messages only repeated what the database holds");
    let week = 7 * 24 * 60 * 60 * 1_000;
    let bounds = arguments(&[("x-max-length", 10_000), ("x-message-ttl", week)]);
    channel.queue_declare(REJECTED.into(), durable, bounds).await.expect("bounded in number and age");
    drop(announcer);
    vhost.drop().await;
}
