//! Discarding dead letters: they come back as they were, and what was begun is finished.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString},
};
use shared::store::DeadLetterFilter;

use crate::{
    dead_letter_rig::{DEAD, await_dead_letters, empty_rig, leave_dead_letters, operator, operator_json},
    rig::Rig,
    wire::Wire,
};

/// A dead letter that somebody put there by hand, as odd as can be.
fn odd() -> (BasicProperties, Vec<u8>) {
    let mut headers = FieldTable::default();
    headers.insert("small".into(), AMQPValue::ShortInt(-3));
    headers.insert("time".into(), AMQPValue::Timestamp(1_700_000_000));
    headers.insert("bytes".into(), AMQPValue::LongString(LongString::from(vec![0, 0xff])));
    headers.insert("nul".into(), AMQPValue::LongString("a\0b".into()));
    let properties = BasicProperties::default()
        .with_message_id("odd \0 id".into())
        .with_priority(4)
        .with_correlation_id("c".into())
        .with_delivery_mode(2)
        .with_headers(headers);
    (properties, vec![0, 0xff, b'{', 0])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discarded_dead_letter_comes_back_as_it_was() {
    let mut rig = empty_rig().await;
    let (properties, body) = odd();
    let wire = Wire::connect(&rig.vhost).await;
    wire.publish(DEAD, &properties, &body).await;
    // No worker recorded it: it is found in its queue.
    rig.start(rig.extractor());
    await_dead_letters(&rig, 1).await;
    let id = rig.store.list_dead_letters(&DeadLetterFilter::default(), 0, 1).await.expect("letters")[0].id;
    let (code, _, err) =
        operator(&rig, &format!("dead-letters note {} --note known --owner ada", group(&rig).await)).await;
    assert_eq!(code, 0, "{err}");

    let (code, _, err) = operator(&rig, &format!("dead-letters discard {id}")).await;
    assert_eq!(code, 2, "nobody can be asked: {err}");
    let discarded = operator_json(&rig, &format!("dead-letters discard {id} --yes")).await;
    assert_eq!(discarded["discarded"], 1);
    await_dead_letters(&rig, 0).await;
    let (code, _, err) = operator(&rig, &format!("dead-letters discard {id} --yes")).await;
    assert_eq!(code, 1);
    assert!(err.contains("1 discarded"), "{err}");
    let (code, _, err) = operator(&rig, &format!("dead-letters restore {id} 999 --yes")).await;
    assert_eq!(code, 1);
    assert!(err.contains("no dead letter 999"), "{err}");
    operator_json(&rig, &format!("dead-letters restore {id} --yes")).await;
    await_dead_letters(&rig, 1).await;
    let groups = rig.store.dead_letter_groups(&DeadLetterFilter::default(), None).await.expect("groups");
    assert_eq!((groups[0].note.as_deref(), groups[0].owner.as_deref()), (Some("known"), Some("ada")));
    rig.stop_all().await;
    let dead_letter = wire.take(DEAD).await.expect("a dead letter").delivery;
    assert_eq!((dead_letter.data, dead_letter.properties), (body, properties));
    rig.end(&[]).await;
}

async fn group(rig: &Rig) -> String {
    rig.store.dead_letter_groups(&DeadLetterFilter::default(), None).await.expect("groups")[0]
        .fingerprint
        .clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_discard_is_finished() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 3).await;
    rig.stop_all().await;
    // Noted, and then whoever did it died.
    let noted =
        rig.store.discard_dead_letters(&DeadLetterFilter::default(), 2, "test", rig.setup.clock.now()).await;
    assert_eq!(noted.expect("noted").len(), 2);
    assert_eq!(rig.ready(DEAD).await, 3);
    rig.start(rig.extractor());
    await_dead_letters(&rig, 1).await;
    rig.end(&[(DEAD, 1)]).await;
}
