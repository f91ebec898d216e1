//! A stage that cannot go on pauses and says why: it keeps what it has, spends neither attempts nor deliveries, and goes on
//! by itself, with one message first.

use std::{collections::BTreeSet, time::Duration};

use fake_twitch::{World, WorldConfig};
use lapin::types::AMQPValue;
use reqwest::Method;
use serde_json::{Value, json};
use shared::{
    failure::{Class, Failure},
    runtime::Step,
};

use crate::{
    amqp_proxy::AmqpProxy,
    builders::now,
    dead_letter_rig::{DEAD, empty_rig, operator},
    eventually::eventually,
    rig::{Rig, Setup},
    scripted::{Scripted, announce_work, consuming, done, paused},
    wire::Wire,
};

/// A world of six pages without rejects; a retry would be an hour away, and be found at the end of a test.
async fn rig() -> Rig {
    let world = World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(600) });
    Rig::with(world, Setup { delays: "1h".parse().expect("delays"), ..Setup::default() }).await
}

/// The consuming connections of a stage, by their names at the broker: a session that was lost has another.
async fn sessions(rig: &Rig, stage: &str) -> BTreeSet<String> {
    eventually(&format!("the connections of the {stage} should be listed"), || async {
        let all = rig.vhost.call(Method::GET, "vhosts/{vhost}/connections", None).await;
        let of_stage = |connection: &&Value| {
            let name = connection["client_properties"]["connection_name"].as_str().unwrap_or_default();
            name.starts_with(stage) && name.ends_with("consume")
        };
        let found = all.as_array().map(|all| all.iter().filter(of_stage).cloned().collect::<Vec<_>>());
        let names = found.unwrap_or_default().iter().map(|found| found["name"].to_string()).collect();
        if names == BTreeSet::new() { Err(all) } else { Ok(names) }
    })
    .await
}

fn outage() -> Failure {
    Failure::new(Class::Outage, "test.outage", "it is away")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_at_its_limit_is_waited_for_in_the_same_session() {
    let mut rig = rig().await;
    rig.start(rig.extractor());
    rig.start(rig.game_enricher());
    // The queue is over its limit before there is one: a quorum queue tells publishers it knows only after a message
    // too many, and a batch published at once would be through by then. One it does not know yet is refused at once.
    let before = rig.run(rig.channel_enricher());
    let first = rig.pull().await;
    rig.waits("finalizer", 6).await;
    before.stop().await;
    let policy = json!({"pattern": "^finalizer$", "definition": {"max-length": 2}, "apply-to": "queues"});
    rig.vhost.call(Method::PUT, "policies/{vhost}/limit", Some(policy)).await;
    rig.start(rig.channel_enricher());
    let pull = rig.pull().await;
    let told = paused(&rig, "channel-enricher", "broker.refused").await;
    assert!(told.reason.as_ref().is_some_and(|why| why.contains("work/channels-filled")), "{told:?}");
    let session = sessions(&rig, "channel-enricher").await;

    rig.start(rig.finalizer());
    rig.vhost.call(Method::DELETE, "policies/{vhost}/limit", None).await;
    for pull in [first, pull] {
        rig.stored_world(pull).await;
    }
    consuming(&rig, "channel-enricher").await;
    assert_eq!(sessions(&rig, "channel-enricher").await, session, "no delivery was spent");
    rig.end_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_binding_that_is_gone_is_waited_for_by_workers_that_may_not_declare() {
    let mut rig = rig().await;
    let path = "bindings/{vhost}/e/work/q/channel-enricher/games-filled";
    rig.vhost.call(Method::DELETE, path, None).await;
    rig.start_all();
    let pull = rig.pull().await;
    let told = paused(&rig, "game-enricher", "broker.unroutable").await;
    let why = told.reason.expect("a reason");
    assert!(why.contains("work/games-filled") && why.contains("operator topology --declare"), "{why}");
    let session = sessions(&rig, "game-enricher").await;

    let (code, _, err) = operator(&rig, "topology --declare --retry-delays=1h").await;
    assert_eq!(code, 0, "{err}");
    rig.stored_world(pull).await;
    consuming(&rig, "game-enricher").await;
    assert_eq!(sessions(&rig, "game-enricher").await, session, "no delivery was spent");
    rig.end_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_blocks_publishers_is_waited_for_and_named() {
    let mut rig = rig().await;
    let proxy = AmqpProxy::to(&rig.amqp_url).await;
    rig.amqp_url = proxy.url(&rig.amqp_url);
    rig.start_all();
    let pull = rig.pull().await;
    rig.reached(pull, "stored", 1).await;
    proxy.block("low on memory");
    let told = paused(&rig, "extractor", "broker.blocked").await;
    assert!(told.reason.as_ref().is_some_and(|why| why.contains("low on memory")), "{told:?}");
    let session = sessions(&rig, "extractor").await;

    proxy.unblock();
    rig.stored_world(pull).await;
    consuming(&rig, "extractor").await;
    assert_eq!(sessions(&rig, "extractor").await, session, "no delivery was spent");
    rig.end_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_deleted_is_subscribed_to_again() {
    let mut rig = empty_rig().await;
    let worker = Scripted::new(&rig);
    rig.start(worker.clone());
    consuming(&rig, "game-enricher").await;
    rig.vhost.call(Method::DELETE, "queues/{vhost}/game-enricher", None).await;
    eventually("it should be paused, and name the queue that is gone", || async {
        let states = rig.store.worker_states(now()).await.expect("states");
        // First that its consumer was ended, and soon after that the queue is not there.
        let told = states.iter().any(|row| {
            matches!(row.code.as_deref(), Some("broker.cancelled" | "broker.absent"))
                && row.reason.as_ref().is_some_and(|why| why.contains("game-enricher"))
        });
        if told { Ok(()) } else { Err(states) }
    })
    .await;
    let (code, _, err) = operator(&rig, "topology --declare").await;
    assert_eq!(code, 0, "{err}");
    consuming(&rig, "game-enricher").await;
    announce_work(&rig, 3).await;
    eventually("it should be given work", || async {
        let given = worker.given();
        if given.len() == 3 { Ok(()) } else { Err(given) }
    })
    .await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_trouble_one_message_goes_before_the_others() {
    let mut rig = empty_rig().await;
    let worker = Scripted::new(&rig);
    worker.is_ready(Err(outage()));
    announce_work(&rig, 200).await;
    rig.start(worker.clone());
    paused(&rig, "game-enricher", "test.outage").await;
    assert_eq!(rig.ready("game-enricher").await, 200, "nothing is taken that cannot be handled");

    // Ready, but no good: this is noticed with one message.
    worker.does(|_| Err(outage()));
    worker.is_ready(Ok(()));
    eventually("it should try", || async {
        let tried = worker.batches();
        if tried.len() >= 3 { Ok(()) } else { Err(tried) }
    })
    .await;
    assert!(worker.batches().iter().all(|batch| batch.len() == 1), "{:?}", worker.batches());

    let before = worker.batches().len();
    worker.does(|_| done());
    eventually("all should be handled", || async {
        let given = worker.given();
        if given.len() == 200 { Ok(()) } else { Err(given.len()) }
    })
    .await;
    let after = worker.batches().split_off(before);
    assert_eq!(after[0].len(), 1, "one before the others");
    assert!(after.iter().any(|batch| batch.len() > 1), "then many: {after:?}");
    // No retry, no dead letter.
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_failure_of_many_messages_pauses_the_stage_before_the_queue_is_empty() {
    let mut rig =
        Rig::with(World::generate(WorldConfig::plain(1)), Setup { pause_after: 5, ..Setup::default() }).await;
    let worker = Scripted::new(&rig);
    worker.does(|chunk| Err(Failure::permanent("test.broken", format!("chunk {chunk} cannot be handled"))));
    announce_work(&rig, 40).await;
    rig.start(worker.clone());
    rig.start(rig.finalizer());
    let told = paused(&rig, "game-enricher", "worker.kill_switch").await;
    let why = told.reason.expect("a reason");
    assert!(why.contains("5 messages in a row") && why.contains("cannot be handled"), "{why}");
    rig.waits(DEAD, 4).await;

    worker.does(|_| done());
    eventually("the others should be handled", || async {
        let given = worker.given();
        if given.len() == 40 && rig.ready("game-enricher").await == 0 { Ok(()) } else { Err(given.len()) }
    })
    .await;
    consuming(&rig, "game-enricher").await;
    rig.end(&[(DEAD, 4)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_that_panics_is_found_among_hundreds_and_costs_no_other_an_attempt() {
    let mut rig = empty_rig().await;
    let worker = Scripted::new(&rig);
    worker.does(|chunk| if chunk == 77 { panic!("chunk 77 is not to be handled") } else { done() });
    announce_work(&rig, 300).await;
    rig.start(worker.clone());
    rig.start(rig.finalizer());
    rig.waits(DEAD, 1).await;
    // Handled is what was given to it without the culprit.
    eventually("all others should be handled", || async {
        let calls = worker.batches().into_iter().filter(|batch| !batch.contains(&77));
        let handled: BTreeSet<i32> = calls.flatten().collect();
        if handled.len() == 299 { Ok(()) } else { Err(handled.len()) }
    })
    .await;
    let given = worker.given();
    assert!(given.values().all(|times| *times <= 5), "{given:?}");
    rig.end(&[(DEAD, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_back_to_its_queue_before_the_broker_takes_it_back() {
    let mut rig = Rig::with(
        World::generate(WorldConfig::plain(1)),
        Setup { max_in_hand: Duration::from_millis(300), ..Setup::default() },
    )
    .await;
    let worker = Scripted::new(&rig);
    worker.does(|_| Ok(Step::Hold(Duration::from_millis(50))));
    announce_work(&rig, 2).await;
    rig.start(worker.clone());
    // It holds each for ever; only a message that went back has been held for less than before.
    eventually("the messages should have gone back a few times", || async {
        let given = worker.given();
        if given.values().all(|times| *times > 20) && given.len() == 2 { Ok(()) } else { Err(given) }
    })
    .await;
    rig.stop_all().await;
    rig.waits("game-enricher", 2).await;
    let wire = Wire::connect(&rig.vhost).await;
    for _ in 0..2 {
        let message = wire.take("game-enricher").await.expect("a message").delivery;
        let headers = message.properties.headers().clone().unwrap_or_default();
        let spent = headers.inner().get("x-delivery-count").and_then(AMQPValue::as_long_long_int);
        assert_eq!(spent.unwrap_or(0), 0, "{headers:?}");
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_to_be_tried_again_is_told_until_it_is_done() {
    let mut rig = empty_rig().await;
    let worker = Scripted::new(&rig);
    worker.does(|_| Err(Failure::transient("test.passing", "it may pass")));
    announce_work(&rig, 2).await;
    rig.start(worker.clone());
    let told = eventually("two retries should be told", || async {
        let retries = rig.store.retries(10).await.expect("retries");
        if retries.len() == 2 { Ok(retries) } else { Err(retries) }
    })
    .await;
    assert_eq!((told[0].code.as_str(), told[0].pull_id, told[0].chunk), ("test.passing", Some(1), Some(1)));
    assert!(told[0].attempts >= 1 && told[0].retry_at >= told[0].first_failed_at, "{told:?}");
    worker.does(|_| done());
    eventually("nothing should be told any longer", || async {
        let retries = rig.store.retries(10).await.expect("retries");
        if retries.is_empty() { Ok(()) } else { Err(retries) }
    })
    .await;
    rig.end(&[]).await;
}
