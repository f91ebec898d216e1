//! Least privilege at RabbitMQ: what a program's user may read, declare and see. Of PostgreSQL: [`crate::rights`].

use fake_twitch::{World, WorldConfig};
use lapin::{
    Connection, ConnectionProperties, ErrorKind,
    options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::FieldTable,
};
use secrecy::ExposeSecret;
use shared::topology::{
    CHANNEL_ENRICHER, DEAD_LETTERS, EVENTS, EXTRACTOR, GAME_ENRICHER, STAGES, WORK, queues,
};

use crate::{
    eventually::eventually,
    process::{Options, Process, probe},
    rig::Rig,
    services::{Vhost, as_user_of},
};

/// Whether RabbitMQ refuses it for want of rights; it costs the channel.
fn is_refused<T>(result: Result<T, lapin::Error>) -> bool {
    result.is_err_and(|error| {
        matches!(error.kind(), ErrorKind::ProtocolError(refusal)
            if matches!(refusal.kind(), AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_lets_each_program_read_its_own_queues_only() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    for program in STAGES.map(|stage| stage.name).into_iter().chain(["console"]) {
        let url = rig.vhost.url_of(program);
        let connection =
            Connection::connect(url.expose_secret(), ConnectionProperties::default()).await.expect("let in");
        let (extractor, dead) = (program == EXTRACTOR.info().name, STAGES.map(|stage| stage.dead()));
        for queue in queues(&rig.setup.delays) {
            let own = queue.name == program
                || queue.name == format!("{program}.replay")
                || (extractor && dead.contains(&queue.name));
            let channel = connection.create_channel().await.expect("a channel");
            let got = channel.basic_get(queue.name.as_str().into(), BasicGetOptions { no_ack: false }).await;
            assert_eq!(is_refused(got), !own, "{program} reads {}", queue.name);
            let channel = connection.create_channel().await.expect("a channel");
            let purged =
                channel.queue_delete(queue.name.as_str().into(), QueueDeleteOptions::default()).await;
            assert!(is_refused(purged), "{program} deletes {}", queue.name);
            for exchange in [WORK, DEAD_LETTERS, EVENTS] {
                let channel = connection.create_channel().await.expect("a channel");
                let options = QueueBindOptions::default();
                let name = queue.name.as_str();
                let bound = channel.queue_bind(
                    name.into(),
                    exchange.into(),
                    "x".into(),
                    options,
                    FieldTable::default(),
                );
                assert!(is_refused(bound.await), "{program} binds {name} to {exchange}");
            }
        }
        let channel = connection.create_channel().await.expect("a channel");
        let options = QueueDeclareOptions::durable();
        let made = channel.queue_declare("mine".into(), options, FieldTable::default()).await;
        assert!(is_refused(made), "{program} makes a queue");
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scaler_sees_depths_and_no_messages() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let scaler = as_user_of(rig.vhost.management(), "scaler");
    let queue = scaler.join(&format!("api/queues/{}/{}", rig.vhost.name(), GAME_ENRICHER.info().queue()));
    let queue = queue.expect("a path");
    let answer = reqwest::get(queue.clone()).await.expect("an answer");
    assert_eq!(answer.status(), reqwest::StatusCode::OK);
    let seen: serde_json::Value = serde_json::from_str(&answer.text().await.expect("a text")).expect("JSON");
    assert_eq!(seen["name"], "game-enricher");
    let look = serde_json::json!({"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"});
    let client = reqwest::Client::builder().build().expect("a client");
    let answer = client.post(format!("{queue}/get")).json(&look).send().await.expect("an answer");
    assert!(!answer.status().is_success(), "{answer:?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_may_not_declare_waits_for_whoever_may() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    // Nobody has declared anything here.
    let bare = Vhost::create().await;
    bare.admit_programs().await;
    rig.amqp_url = bare.url();
    let worker = Process::start(&rig, CHANNEL_ENRICHER.info().name, &Options::default());
    eventually("it should say what to do", || async {
        let log = worker.log();
        if log.iter().any(|line| line.contains("`operator topology --declare`")) { Ok(()) } else { Err(log) }
    })
    .await;
    let mut declare = crate::dead_letter_rig::command(&rig, "topology --declare");
    declare.env("AMQP_URL", bare.url_of("operator").expose_secret());
    let declared =
        tokio::task::spawn_blocking(move || declare.output()).await.expect("a thread").expect("run");
    assert!(declared.status.success(), "{declared:?}");
    let address = worker.ready().await;
    assert!(probe(address, "readyz").await.0.is_success());
    worker.terminate().await;
    bare.drop().await;
    rig.end(&[]).await;
}

#[test]
fn every_stage_has_a_user_with_rights() {
    let definitions = crate::services::definitions();
    for list in ["users", "permissions"] {
        let key = if list == "users" { "name" } else { "user" };
        let names: Vec<&str> = definitions[list]
            .as_array()
            .expect(list)
            .iter()
            .filter_map(|entry| entry[key].as_str())
            .collect();
        for stage in STAGES {
            assert!(names.contains(&stage.name), "{} is not among the {list}", stage.name);
        }
    }
    for user in definitions["users"].as_array().expect("users") {
        let (name, password) = (user["name"].as_str().unwrap_or_default(), &user["password"]);
        assert_eq!(*password, format!("@{name}@"), "a template holds no password");
    }
}
