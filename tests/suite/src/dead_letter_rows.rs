//! A dead letter is first a row, then a message: what is seen while the message cannot be published, after a worker died
//! between the two, and of workers of older builds.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use reqwest::Method;
use serde_json::json;
use shared::{
    dead_letters::replay,
    runtime::header,
    store::DeadLetterFilter,
    topology::{DEAD_LETTERS, GAME_ENRICHER},
};

use crate::{
    dead_letter_rig::{
        DEAD, FailingWorker, await_queued, empty_rig, leave_dead_letters, message, operator, settled,
    },
    eventually::eventually,
    replays::order,
    rig::Rig,
    wire::Wire,
};

/// Lets the dead-letter queue refuse messages.
async fn refuse_dead_letters(rig: &Rig) {
    let limit = json!({
        "pattern": "\\.dead$",
        "definition": {"max-length": 0, "overflow": "reject-publish"},
        "apply-to": "queues",
    });
    rig.vhost.call(Method::PUT, "policies/{vhost}/refuse", Some(limit)).await;
    eventually("the policy should be in force", || async {
        let queue = rig.vhost.call(Method::GET, &format!("queues/{{vhost}}/{DEAD}"), None).await;
        if queue["policy"] == "refuse" { Ok(()) } else { Err(queue["policy"].clone()) }
    })
    .await;
}

async fn accept_dead_letters(rig: &Rig) {
    rig.vhost.call(Method::DELETE, "policies/{vhost}/refuse", None).await;
}

/// Waits until the only dead letter is in this state, and its queue is known to have it or not.
async fn becomes(rig: &Rig, state: &str, queued: bool) {
    let sql = "select state, queued_at is not null as queued from dead_letter";
    eventually(&format!("the dead letter should be {state}"), || async {
        let rows = rig.db.query(sql, &[]).await.expect("rows");
        let found: Vec<(String, bool)> =
            rows.iter().map(|row| (row.get("state"), row.get("queued"))).collect();
        if found == [(state.to_owned(), queued)] { Ok(()) } else { Err(found) }
    })
    .await;
}

/// A worker that fails a message, and dies between recording and publishing the dead letter; its clones are replicas.
async fn die_before_publishing(rig: &Rig) -> FailingWorker {
    refuse_dead_letters(rig).await;
    let worker = FailingWorker::of(rig, 1);
    let dies = rig.run(worker.clone());
    rig.announcer.announce(vec![GAME_ENRICHER.request(&message(1))]).await.expect("announced");
    becomes(rig, "dead", false).await;
    dies.kill();
    worker
}

async fn events(rig: &Rig) -> Vec<String> {
    let rows = rig.db.query("select event from dead_letter_event order by seq", &[]).await.expect("events");
    rows.iter().map(|row| row.get("event")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_that_cannot_be_published_is_recorded_and_not_missed() {
    let mut rig = empty_rig().await;
    refuse_dead_letters(&rig).await;
    rig.start(FailingWorker::of(&rig, 1));
    rig.announcer.announce(vec![GAME_ENRICHER.request(&message(1))]).await.expect("announced");
    becomes(&rig, "dead", false).await;
    let (code, out, _) = operator(&rig, "status").await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("1 dead letter of the game-enricher"), "{out}");
    // It cannot be sent back before it is there.
    let (code, _, err) = operator(&rig, "dead-letters replay --all --yes").await;
    assert_eq!(code, 1, "{err}");

    // A comparison does not miss what is not known to be in the queue.
    let vanished = rig.store.note_vanished(DEAD, rig.setup.clock.now()).await.expect("compared");
    assert_eq!(vanished, 0);
    accept_dead_letters(&rig).await;
    rig.waits(DEAD, 1).await;
    becomes(&rig, "dead", true).await;
    assert_eq!(events(&rig).await, ["died"]);
    rig.end(&[(DEAD, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_whose_worker_died_before_it_was_published_is_resolved_when_it_is_handled_after_all() {
    let mut rig = empty_rig().await;
    let worker = die_before_publishing(&rig).await;
    worker.fail_with(0);
    rig.start(worker.clone());
    becomes(&rig, "cured", false).await;
    assert_eq!(worker.handled().len(), 1);
    assert_eq!(events(&rig).await, ["died", "done"]);
    accept_dead_letters(&rig).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_whose_worker_died_before_it_was_published_is_the_same_when_it_fails_again() {
    let mut rig = empty_rig().await;
    let worker = die_before_publishing(&rig).await;
    accept_dead_letters(&rig).await;
    rig.start(worker);
    rig.waits(DEAD, 1).await;
    becomes(&rig, "dead", true).await;
    assert_eq!(events(&rig).await, ["died"]);
    rig.end(&[(DEAD, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_without_an_id_whose_worker_died_is_missed_after_an_hour() {
    let mut rig = empty_rig().await;
    refuse_dead_letters(&rig).await;
    let worker = FailingWorker::of(&rig, 0);
    let dies = rig.run(worker.clone());
    let wire = Wire::connect(&rig.vhost).await;
    wire.publish(GAME_ENRICHER.info().queue(), &BasicProperties::default(), b"no message").await;
    becomes(&rig, "dead", false).await;
    dies.kill();
    accept_dead_letters(&rig).await;
    // Nothing tells that it is the same: it is recorded once more.
    rig.start(worker);
    rig.waits(DEAD, 1).await;
    await_queued(&rig, DEAD, 1).await;

    let since = rig.setup.clock.now();
    rig.db
        .execute("update dead_letter set seen_at = $1 where queued_at is not null", &[&since])
        .await
        .expect("found");
    assert_eq!(rig.store.note_vanished(DEAD, since).await.expect("compared"), 0, "it may be on its way");
    let earlier =
        "update dead_letter set last_failed_at = last_failed_at - interval '2 hours' where queued_at is null";
    rig.db.batch_execute(earlier).await.expect("two hours later");
    assert_eq!(rig.store.note_vanished(DEAD, since).await.expect("compared"), 1);
    rig.end(&[(DEAD, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_workers_of_older_builds_say_of_replays_is_understood() {
    const LEDGER: &str = "dead-letters.ledger";
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 1).await;
    rig.stop_all().await;
    let replayed = replay(&rig.store, &rig.announcer, &rig.setup.clock, &order(), |_| {}).await;
    let replay_id = replayed.expect("replayed").expect("a dead letter").replay_id;
    let wire = Wire::connect(&rig.vhost).await;
    let fresh = wire.take(&GAME_ENRICHER.info().replay()).await.expect("a fresh message").delivery;
    // The queue as they declared it, a copy of a dead letter in it, and the news that the replay was handled.
    let mut quorum = FieldTable::default();
    quorum.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    wire.tap(LEDGER, DEAD_LETTERS, GAME_ENRICHER.info().name, quorum.clone()).await;
    wire.tap(LEDGER, DEAD_LETTERS, "cured", quorum).await;
    let headers = fresh.properties.headers().clone().expect("headers");
    let mut news = FieldTable::default();
    for name in [header::REPLAY, header::REPLAYED_LETTER] {
        news.insert(name.into(), headers.inner()[name].clone());
    }
    wire.publish_to(DEAD_LETTERS, GAME_ENRICHER.info().name, &fresh.properties, &fresh.data).await;
    wire.publish_to(DEAD_LETTERS, "cured", &BasicProperties::default().with_headers(news), b"").await;
    rig.waits(DEAD, 1).await;
    wire.take(DEAD).await.expect("the copied message is in its own queue too");

    rig.start(rig.extractor());
    assert_eq!(settled(&rig, replay_id).await.done, 1);
    becomes(&rig, "cured", true).await;
    assert!(wire.take(LEDGER).await.is_none(), "it is emptied");
    let open = rig.store.count_dead_letters(&DeadLetterFilter::default()).await.expect("a count");
    assert_eq!(open, 0);
    rig.vhost.call(Method::DELETE, &format!("queues/{{vhost}}/{LEDGER}"), None).await;
    rig.end(&[]).await;
}
