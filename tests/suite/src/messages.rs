//! Messages no worker can make sense of: each becomes a dead letter with its reason, and nobody else is harmed.

use fake_twitch::{Effect, Endpoint, Fault, When, World, WorldConfig};
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    message::BasicGetMessage,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions},
    types::AMQPValue,
};
use secrecy::ExposeSecret;
use shared::{
    runtime::header,
    schema::{Message, PullId, PullRequested, PullStatus, encode},
    topology::{EXTRACTOR, STAGES},
};

use crate::{eventually::eventually, rig::Rig, truth::assert_matches_world, wire::Listener};

/// Puts a body straight into a queue, as any tool could.
async fn put(rig: &Rig, queue: &str, body: &[u8]) {
    let url = rig.vhost.url();
    let connection = Connection::connect(url.expose_secret(), ConnectionProperties::default())
        .await
        .expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = BasicProperties::default().with_message_id(format!("by hand to {queue}").into());
    let confirm =
        channel.basic_publish("".into(), queue.into(), options, body, properties).await.expect("published");
    assert!(confirm.await.expect("confirmed").is_ack());
}

/// Takes one message out of a queue.
async fn take(rig: &Rig, queue: &str) -> BasicGetMessage {
    let url = rig.vhost.url();
    let connection = Connection::connect(url.expose_secret(), ConnectionProperties::default())
        .await
        .expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    eventually(&format!("{queue} should hold a dead letter"), || async {
        let options = BasicGetOptions { no_ack: true };
        channel.basic_get(queue.into(), options).await.expect("an answer").ok_or("nothing there")
    })
    .await
}

fn header_of(dead_letter: &BasicGetMessage, name: &str) -> String {
    let headers = dead_letter.delivery.properties.headers().clone().unwrap_or_default();
    match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        Some(AMQPValue::LongUInt(number)) => number.to_string(),
        other => panic!("header {name}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_dead_lettered_with_its_reason() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    rig.start_all();
    for stage in STAGES {
        let kind = stage.reads;
        let chunk = r#""pull_id":999999,"pulled_at":"2026-11-23T00:00:00Z","chunk":1"#;
        let cases = [
            (b"{\"kind\":".to_vec(), "message.malformed"),
            (b"\xff\xfe\x00".to_vec(), "message.malformed"),
            (Vec::new(), "message.malformed"),
            (
                format!(r#"{{"kind":"{kind}","version":1,"pull_id":"seven"}}"#).into_bytes(),
                "message.malformed",
            ),
            (br#"{"kind":"something-else","version":1}"#.to_vec(), "message.kind"),
            (format!(r#"{{"kind":"{kind}","version":99,{chunk}}}"#).into_bytes(), "message.version"),
            (format!(r#"{{"kind":"{kind}","version":1,{chunk}}}"#).into_bytes(), "store.not_there"),
        ];
        for (body, code) in cases {
            put(&rig, stage.queue(), &body).await;
            let dead_letter = take(&rig, &stage.dead()).await;
            assert_eq!(dead_letter.delivery.data, body, "byte for byte");
            assert_eq!(
                header_of(&dead_letter, header::CODE),
                code,
                "{}: {}",
                stage.name,
                String::from_utf8_lossy(&body)
            );
            assert_eq!(header_of(&dead_letter, header::STAGE), stage.name);
            assert_eq!(header_of(&dead_letter, header::CLASS), "permanent");
            assert_eq!(header_of(&dead_letter, header::ATTEMPTS), "1");
            assert!(!header_of(&dead_letter, header::MESSAGE).is_empty());
            assert_eq!(
                header_of(&dead_letter, header::FIRST_FAILED_AT),
                header_of(&dead_letter, header::LAST_FAILED_AT)
            );
            let id = dead_letter.delivery.properties.message_id().as_ref().map(ToString::to_string);
            assert_eq!(id, Some(format!("by hand to {}", stage.queue())), "properties are kept");
        }
    }
    let report = rig.whole_pull().await;
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_cannot_be_fetched_fails_and_a_replay_brings_it_back() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
    let listener = Listener::new(&rig).await;
    // Each call for the page fails, and each probe after it succeeds: it is the page, not Twitch.
    let broken = Effect::Status { code: 500, message: "broken".into() };
    rig.twitch.faults(|faults| faults.push(Fault::new(broken).on(Endpoint::Streams).when(When::Every(2))));
    rig.helix().streams(None).await.expect("the first call succeeds");
    rig.start_all();
    let pull = rig.pull().await;
    let report = rig.ended(pull).await;
    assert_eq!(report.status, "failed");
    assert_eq!(report.stop_reason.as_deref(), Some("error"));
    assert!(report.error.as_deref().unwrap_or_default().contains("500"), "{report:#?}");
    listener.hears(pull, PullStatus::Failed).await;

    let dead_letter = take(&rig, &EXTRACTOR.info().dead()).await;
    assert_eq!(header_of(&dead_letter, header::CODE), "helix.server_error");
    let attempts = rig.setup.delays.iter().count() + 1;
    assert_eq!(
        header_of(&dead_letter, header::ATTEMPTS),
        attempts.to_string(),
        "each rung once, and the first try"
    );
    assert_eq!(dead_letter.delivery.data, encode(&PullRequested { pull_id: pull }));

    rig.twitch.world().heal();
    put(&rig, EXTRACTOR.info().queue(), &dead_letter.delivery.data).await;
    let report = eventually("the replay should bring the pull back", || async {
        let report = rig.store.pull_report(pull).await.expect("a report");
        if report.status == "success" { Ok(report) } else { Err(report) }
    })
    .await;
    assert_eq!((report.error, report.stop_reason.as_deref()), (None, Some("end")));
    assert_matches_world(&rig.db, pull, rig.twitch.world(), 10).await;
    let closed = listener.hears(pull, PullStatus::Success).await;
    assert_eq!((closed.stored, closed.pages), (report.stored, report.pages));
    rig.end(&[]).await;
}

#[test]
fn every_message_has_its_golden_json() {
    let golden = r#"{"kind":"pull-requested","version":1,"pull_id":42}"#;
    assert_eq!(String::from_utf8(encode(&PullRequested { pull_id: PullId(42) })).unwrap(), golden);
    assert_eq!(PullRequested { pull_id: PullId(42) }.id(), "pull-requested/42");
}
