//! A channel leaves every queue that there is: whatever a message says of it in its body or of its last failure.

use std::collections::BTreeMap;

use fake_twitch::{World, WorldConfig};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use serde_json::Value;
use shared::{
    runtime::header,
    topology::{Argument, OPTIONAL_STAGES, Queue, queues, queues_of},
};

use super::text_of;
use crate::{
    dead_letter_rig::{answer, command},
    rig::{Rig, Setup},
    wire::Wire,
};

/// So long that no message leaves its retry queue during the test.
const DELAYS: &str = "1h,2h";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_channel_is_in_no_message_of_any_queue() {
    let setup = Setup { delays: DELAYS.parse().expect("delays"), ..Setup::default() };
    let rig = Rig::with(World::generate(WorldConfig::plain(5)), setup).await;
    let wire = Wire::connect(&rig.vhost).await;
    // Those of a stage that may be left out are there once it was started.
    let optional: Vec<Queue> =
        OPTIONAL_STAGES.into_iter().flat_map(|stage| queues_of(stage, &rig.setup.delays)).collect();
    for queue in &optional {
        wire.declare(&queue.name, arguments(queue)).await;
    }
    let every: Vec<Queue> = queues(&rig.setup.delays).into_iter().chain(optional).collect();
    assert_eq!(
        every.len(),
        5 * (3 + 2) + 1,
        "work, replay, dead letters and two delays of five stages, and the rejects"
    );
    let mut headers = FieldTable::default();
    for (name, text) in
        [(header::MESSAGE, "no channel Some_Body"), (header::CAUSES, "/users?id=123456789: gone")]
    {
        headers.insert(name.into(), AMQPValue::LongString(text.into()));
    }
    let failed = BasicProperties::default().with_headers(headers).with_message_id("42".into());
    for queue in &every {
        wire.publish(&queue.name, &failed, br#"{"pull_id": 7}"#).await;
        wire.publish(&queue.name, &BasicProperties::default(), br#"{"user_login": "some_body"}"#).await;
        wire.publish(&queue.name, &failed.clone().with_headers(FieldTable::default()), b"of nobody").await;
    }
    for queue in &every {
        rig.waits(&queue.name, 3).await;
    }

    let erase = async |more: &str| -> Value {
        let mut command = command(&rig, &format!("erase --channel 123456789 --name some_body --json {more}"));
        command.env("DATABASE_URL", rig.database.plain_url()).env("RETRY_DELAYS", DELAYS);
        let (code, out, err) = answer(command).await;
        assert_eq!(code, 0, "{out}{err}");
        serde_json::from_str(&out).expect("JSON")
    };
    let named: BTreeMap<&str, i64> = every.iter().map(|queue| (queue.name.as_str(), 2)).collect();
    assert_eq!(erase("--dry-run").await["counts"], serde_json::json!(named));
    let erased = erase("--yes").await;
    assert_eq!((&erased["counts"], &erased["found"]), (&serde_json::json!(named), &serde_json::json!({})));

    for queue in &every {
        rig.waits(&queue.name, 3).await;
        let mut kept = 0;
        while let Some(message) = wire.take(&queue.name).await {
            let text = text_of(&message.delivery);
            assert!(
                !text.contains("123456789") && !text.to_lowercase().contains("some_body"),
                "{}: {text}",
                queue.name
            );
            let id = message.delivery.properties.message_id().as_ref().map(ShortString::as_str);
            kept += usize::from(text.contains("of nobody") && id == Some("42"));
            assert!(
                !text.contains("pull_id") || text.contains("no channel erased"),
                "{}: {text}",
                queue.name
            );
        }
        assert_eq!(kept, 1, "{}: what names nobody stays as it is", queue.name);
    }
    rig.end(&[]).await;
}

fn arguments(queue: &Queue) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, argument) in &queue.arguments {
        let value = match argument {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
        };
        table.insert((*name).into(), value);
    }
    table
}
