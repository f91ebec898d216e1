//! Who pays when something takes too long, or the broker does not take back what is in hand: what all messages share costs
//! none of them an attempt or a delivery, and a message that is to blame does not hold up the others.

use std::{collections::BTreeSet, time::Duration};

use fake_twitch::{World, WorldConfig};
use lapin::types::AMQPValue;
use shared::failure::{Class, Failure};

use crate::{
    amqp_proxy::{ACK, AmqpProxy, CONSUME},
    dead_letter_rig::{DEAD, empty_rig},
    eventually::eventually,
    rig::{Rig, Setup},
    scripted::{Scripted, announce_work, consuming, done, paused},
    wire::Wire,
};

/// Three chunks; a retry would be an hour away, and be found at the end of a test.
async fn rig() -> Rig {
    let world = World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(300) });
    Rig::with(world, Setup { delays: "1h".parse().expect("delays"), ..Setup::default() }).await
}

/// Lets the game-enricher's note on a chunk take too long, where `when` is true of the row.
async fn let_notes_take_too_long(rig: &Rig, when: &str) {
    let sql = format!(
        "create function takes_too_long() returns trigger language plpgsql as $$
         begin raise exception 'canceling statement due to statement timeout' using errcode = '57014'; end $$;
         create trigger takes_too_long before update on pull_chunk for each row
             when (old.games_at is null and new.games_at is not null and {when})
             execute function takes_too_long()"
    );
    rig.db.batch_execute(&sql).await.expect("a trigger");
}

/// How often each message that waits in a queue has been spent on a session that ended.
async fn deliveries_spent(rig: &Rig, queue: &str, messages: u32) -> Vec<i64> {
    rig.waits(queue, messages).await;
    let wire = Wire::connect(&rig.vhost).await;
    let mut spent = Vec::new();
    for _ in 0..messages {
        let message = wire.take(queue).await.expect("a message").delivery;
        let headers = message.properties.headers().clone().unwrap_or_default();
        let count = headers.inner().get("x-delivery-count").and_then(AMQPValue::as_long_long_int);
        spent.push(count.unwrap_or_default());
    }
    spent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_take_too_long_pause_the_stage_and_cost_no_message_an_attempt() {
    let mut rig = rig().await;
    let_notes_take_too_long(&rig, "true").await;
    rig.start_all();
    let pull = rig.pull().await;
    let told = paused(&rig, "game-enricher", "store.timeout").await;
    assert!(told.reason.as_ref().is_some_and(|why| why.contains("57014")), "{told:?}");
    rig.db.batch_execute("drop trigger takes_too_long on pull_chunk").await.expect("dropped");
    rig.stored_world(pull).await;
    consuming(&rig, "game-enricher").await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_whose_statement_always_takes_too_long_does_not_hold_up_the_others() {
    let world = World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(300) });
    // Alone in its queue in the end, it pays an attempt a second.
    let setup = Setup { max_in_hand: Duration::from_secs(1), ..Setup::default() };
    let mut rig = Rig::with(world, setup).await;
    let_notes_take_too_long(&rig, "new.chunk = 2").await;
    rig.start_all();
    let pull = rig.pull().await;
    rig.reached(pull, "merged", 2).await;
    let report = rig.ended(pull).await;
    assert_eq!(report.status, "failed", "{report:#?}");
    assert!(report.error.as_ref().is_some_and(|why| why.contains("57014")), "{report:#?}");
    consuming(&rig, "game-enricher").await;
    rig.end(&[(DEAD, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_all_take_too_long_pause_the_stage_and_cost_no_message_an_attempt() {
    let mut rig = rig().await;
    let worker = Scripted::new(&rig);
    worker.hangs_on(1..=20);
    announce_work(&rig, 20).await;
    rig.start(worker.clone());
    paused(&rig, "game-enricher", "worker.timeout").await;
    let alone = worker.batches().into_iter().filter(|batch| batch.len() == 1).count();
    assert!(alone < 5, "the rest is not tried when there is no reason to hope: {:?}", worker.batches());
    worker.hangs_on([]);
    eventually("all should be handled", || async {
        let given: BTreeSet<i32> = worker.given().into_keys().collect();
        if given.len() == 20 && rig.ready("game-enricher").await == 0 { Ok(()) } else { Err(given) }
    })
    .await;
    consuming(&rig, "game-enricher").await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_message_that_hangs_pays_while_others_are_handled() {
    let mut rig = empty_rig().await;
    let worker = Scripted::new(&rig);
    worker.hangs_on([7]);
    announce_work(&rig, 20).await;
    rig.start(worker.clone());
    rig.start(rig.finalizer());
    eventually("it should be dead-lettered while others come", || async {
        // Others, which are there to compare it with.
        announce_work(&rig, 1).await;
        if rig.ready(DEAD).await == 1 { Ok(()) } else { Err(worker.given()) }
    })
    .await;
    let handled = |batch: &&Vec<i32>| !batch.contains(&7);
    let handled: BTreeSet<i32> = worker.batches().iter().filter(handled).flatten().copied().collect();
    assert_eq!(handled.len(), 19, "{handled:?}");
    rig.end(&[(DEAD, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_of_many_messages_that_are_exhausted_for_the_same_reason_pause_the_stage() {
    let setup = Setup { pause_after: 5, ..Setup::default() };
    let mut rig = Rig::with(World::generate(WorldConfig::plain(1)), setup).await;
    let worker = Scripted::new(&rig);
    worker.does(|_| Err(Failure::transient("test.passing", "it may pass")));
    announce_work(&rig, 40).await;
    rig.start(worker.clone());
    rig.start(rig.finalizer());
    let told = paused(&rig, "game-enricher", "worker.kill_switch").await;
    assert!(told.reason.as_ref().is_some_and(|why| why.contains("5 messages in a row")), "{told:?}");
    let before = worker.batches().len();
    worker.does(|_| done());
    eventually("the others should be handled", || async {
        let handled: BTreeSet<i32> = worker.batches().split_off(before).into_iter().flatten().collect();
        if handled.len() == 36 { Ok(()) } else { Err(handled) }
    })
    .await;
    rig.end(&[(DEAD, 4)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_blocked_broker_does_not_take_back_is_kept_and_no_delivery_is_spent() {
    let mut rig = empty_rig().await;
    let proxy = AmqpProxy::to(&rig.amqp_url).await;
    rig.amqp_url = proxy.url(&rig.amqp_url);
    let worker = Scripted::new(&rig);
    let outage = || Failure::new(Class::Outage, "test.outage", "it is unavailable");
    worker.does(move |_| Err(outage()));
    announce_work(&rig, 5).await;
    rig.start(worker.clone());
    paused(&rig, "game-enricher", "test.outage").await;
    worker.is_ready(Err(outage()));
    proxy.block("low on memory");
    // It keeps them for a while first.
    paused(&rig, "game-enricher", "broker.blocked").await;
    proxy.unblock();
    assert_eq!(deliveries_spent(&rig, "game-enricher", 5).await, [0; 5]);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_nobody_answers_for_pauses_the_stage() {
    let mut rig = empty_rig().await;
    let proxy = AmqpProxy::to(&rig.amqp_url).await;
    rig.amqp_url = proxy.url(&rig.amqp_url);
    proxy.swallow_from_client(Some(CONSUME));
    let worker = Scripted::new(&rig);
    announce_work(&rig, 3).await;
    let running = rig.run(worker.clone());
    let told = paused(&rig, "game-enricher", "broker.unanswered").await;
    assert!(told.reason.as_ref().is_some_and(|why| why.contains("game-enricher")), "{told:?}");
    // It asks again, and stops at once all the same.
    running.stop().await;

    proxy.swallow_from_client(None);
    rig.start(worker.clone());
    eventually("all should be handled", || async {
        let given = worker.given();
        if given.len() == 3 { Ok(()) } else { Err(given) }
    })
    .await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_broker_does_not_confirm_is_published_again() {
    let mut rig = rig().await;
    let proxy = AmqpProxy::to(&rig.amqp_url).await;
    rig.amqp_url = proxy.url(&rig.amqp_url);
    proxy.swallow_from_broker(Some(ACK));
    rig.start(rig.extractor());
    let pull = rig.pull().await;
    let told = paused(&rig, "extractor", "broker.unconfirmed").await;
    assert!(told.reason.as_ref().is_some_and(|why| why.contains("did not confirm work")), "{told:?}");
    proxy.swallow_from_broker(None);
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    rig.start(rig.finalizer());
    rig.stored_world(pull).await;
    rig.end_clean().await;
}
