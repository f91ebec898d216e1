//! Sending dead letters back: as many as were counted, once each, whoever dies meanwhile, and never in the way of live work.

use std::time::{Duration, Instant};

use fake_twitch::{World, WorldConfig};
use lapin::types::{AMQPValue, ShortString};
use shared::{
    dead_letter::{DeadLetterStore, Replayed, Settled},
    dead_letters::{Order, Replay, finish_interrupted, replay},
    runtime::header,
    schema::encode,
    store::{DeadLetterFilter, Plan},
    topology::GAME_ENRICHER,
};

use crate::{
    dead_letter_rig::{
        DEAD, await_dead_letters, command, empty_rig, leave_dead_letters, let_replays_run_out, message,
        operator, operator_json, report_figure, settled,
    },
    rig::Rig,
    truth::assert_matches_world,
    wire::Wire,
};

pub(crate) fn order() -> Order {
    Order {
        filter: DeadLetterFilter::default(),
        target: None,
        limit: None,
        rate: None,
        body: None,
        canary: None,
        by: "test".into(),
    }
}

pub(crate) async fn replayed(rig: &Rig, order: Order) -> Replay {
    let replay = replay(&rig.store, &rig.announcer, &rig.setup.clock, &order, |_| {}).await;
    replay.expect("it should not fail").expect("dead letters should be meant")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_sends_what_was_counted_in_order_and_byte_for_byte() {
    let mut rig = empty_rig().await;
    let _worker = leave_dead_letters(&mut rig, 2, 120).await;
    rig.stop_all().await;

    // All that match, not those of a page; of two causes, one is meant.
    let counted = operator_json(&rig, "dead-letters replay --code test.one --dry-run").await;
    assert_eq!(counted["would_send"], 60);
    await_dead_letters(&rig, 120).await;
    let sent = operator_json(&rig, "dead-letters replay --code test.one --yes").await;
    assert_eq!(sent["letters"], 60);
    assert_eq!((rig.ready(DEAD).await, rig.ready(&GAME_ENRICHER.info().replay()).await), (60, 60));

    let wire = Wire::connect(&rig.vhost).await;
    for chunk in (1..=120).filter(|chunk| chunk % 2 == 1) {
        let fresh = wire.take(&GAME_ENRICHER.info().replay()).await.expect("a message").delivery;
        assert_eq!(fresh.data, encode(&message(chunk)), "oldest first, byte for byte");
        let properties = &fresh.properties;
        let id = format!("chunk-stored/1/{chunk}");
        assert_eq!(properties.message_id().as_ref().map(ShortString::as_str), Some(id.as_str()));
        assert_eq!(properties.content_type().as_ref().map(ShortString::as_str), Some("application/json"));
        let headers = properties.headers().clone().expect("headers");
        assert_eq!(headers.inner()[header::GENERATION], AMQPValue::LongInt(1));
        assert!(headers.contains_key(header::REPLAY) && headers.contains_key(header::REPLAYED_LETTER));
        for of_a_failure in header::OF_A_FAILURE {
            assert!(!headers.contains_key(of_a_failure), "{of_a_failure}: it has not failed yet");
        }
    }
    let (code, _, err) = operator(&rig, "dead-letters replay --code test.one --yes").await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("60 replayed"), "{err}");
    rig.end(&[(DEAD, 60)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_keeps_its_rate() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 100).await;
    worker.fail_with(0);
    let began = Instant::now();
    let replay = replayed(&rig, Order { rate: Some(25.0), ..order() }).await;
    let took = began.elapsed();
    report_figure(&format!("100 dead letters at 25 a second: {took:?}"));
    assert_eq!(replay.report.letters, 100);
    assert!(
        took >= Duration::from_millis(3_600),
        "100 dead letters at 25 a second take 4 s, and not {took:?}"
    );
    settled(&rig, replay.replay_id).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_killed_at_any_instant_loses_nothing_and_has_one_effect() {
    const LETTERS: i32 = 1_200;
    const KILLS: u64 = 50;
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, LETTERS).await;
    worker.fail_with(0);
    let began = Instant::now();
    operator_json(&rig, "dead-letters replay --all --limit 20 --yes").await;
    let mut whole = u64::try_from(began.elapsed().as_millis()).expect("some milliseconds");
    let (mut random, mut cut_short): (u64, i64) = (0x2545_F491_4F6C_DD1D, 0);
    for _ in 0..KILLS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut child =
            command(&rig, "dead-letters replay --all --limit 20 --yes --json").spawn().expect("the operator");
        // The moment of the kill is the point of this test: it has to be any.
        let moment = Duration::from_millis(whole / 3 + (random >> 33) % (whole * 2 / 3).max(1));
        let ended = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            while began.elapsed() < moment && child.try_wait().expect("a status").is_none() {
                std::thread::yield_now();
            }
            let by_itself = child.try_wait().expect("a status").is_some().then(|| began.elapsed());
            child.kill().expect("killed");
            child.wait().expect("gone");
            by_itself
        });
        let by_itself = ended.await.expect("a thread");
        if let Some(took) = by_itself {
            // The first was slower than they are: aim earlier.
            whole = whole.min(u64::try_from(took.as_millis()).expect("some milliseconds").max(1));
        }
        let_replays_run_out(&rig).await;
        let finished =
            finish_interrupted(&rig.store, &rig.announcer, &rig.setup.clock).await.expect("finished");
        cut_short += i64::from(by_itself.is_none() && finished > 0);
    }
    // Somebody else may be finishing one of them.
    let_replays_run_out(&rig).await;
    while replay(&rig.store, &rig.announcer, &rig.setup.clock, &order(), |_| {})
        .await
        .expect("replayed")
        .is_some()
    {}
    await_dead_letters(&rig, 0).await;
    crate::eventually::eventually("every dead letter should be resolved", || async {
        let sql = "select count(*) filter (where state <> 'cured'), count(*) from dead_letter";
        let row = rig.db.query_one(sql, &[]).await.expect("counts");
        let counts: (i64, i64) = (row.get(0), row.get(1));
        if counts == (0, LETTERS.into()) { Ok(()) } else { Err(counts) }
    })
    .await;
    let handled = worker.handled();
    assert_eq!(handled.len(), usize::try_from(LETTERS).expect("a number"), "nothing is lost");
    let again: u32 = handled.values().map(|times| times - 1).sum();
    let outcomes = "select count(*), count(distinct letter_id) from replay_letter where outcome = 'done'";
    let row = rig.db.query_one(outcomes, &[]).await.expect("outcomes");
    let done: (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(done, (LETTERS.into(), LETTERS.into()), "each is done once");
    assert!(cut_short > 0, "some of {KILLS} kills should have hit a replay under way");
    report_figure(&format!(
        "{KILLS} kills, {cut_short} hit a replay under way, {again} messages were delivered twice"
    ));
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_three_replays_a_dead_letter_is_held() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 3).await;
    for generation in 1..=3 {
        let replay = replayed(&rig, order()).await;
        let report = settled(&rig, replay.replay_id).await;
        assert_eq!((report.letters, report.returned_same), (3, 3), "generation {generation}");
        await_dead_letters(&rig, 3).await;
    }
    let queued = rig.store.list_dead_letters(&DeadLetterFilter::default(), 0, 10).await.expect("letters");
    assert!(
        queued.iter().all(|dead_letter| dead_letter.generation == 3 && dead_letter.state == "held"),
        "{queued:#?}"
    );
    let (code, _, err) = operator(&rig, "dead-letters replay --all --yes").await;
    assert_eq!(code, 1, "held dead letters are passed over: {err}");
    assert!(err.contains("3 held"), "{err}");

    // It came back with another cause: that shows, too.
    worker.fail_with(5);
    let named = DeadLetterFilter { ids: Some(vec![queued[0].id]), ..DeadLetterFilter::default() };
    let replay = replayed(&rig, Order { filter: named, ..order() }).await;
    let report = settled(&rig, replay.replay_id).await;
    assert_eq!((report.letters, report.returned_different), (1, 1));
    await_dead_letters(&rig, 3).await;
    let outcomes = rig.store.replay_outcomes(replay.replay_id).await.expect("outcomes");
    let back = rig
        .store
        .dead_letter(outcomes[0].came_back_as.expect("a dead letter"))
        .await
        .expect("a dead letter")
        .expect("it");
    assert_eq!((back.row.generation, back.replay_of), (4, Some(queued[0].id)));
    rig.end(&[(DEAD, 3)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_sums_up_and_names_the_build_that_cured() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 5, 500).await;
    let same = replayed(&rig, Order { limit: Some(10), ..order() }).await;
    assert_eq!(settled(&rig, same.replay_id).await.returned_same, 10);
    await_dead_letters(&rig, 500).await;
    worker.fail_with(0);
    let replay = replayed(&rig, order()).await;
    settled(&rig, replay.replay_id).await;
    let report = operator_json(&rig, "dead-letters report").await;
    let number = |name: &str| report[name].as_i64().expect("a number");
    let sum = ["done", "returned_same", "returned_different", "pending", "not_sent"]
        .map(number)
        .iter()
        .sum::<i64>();
    assert_eq!((number("letters"), sum, number("done")), (500, 500, 500));
    assert_eq!(report["cured_by"], shared::version::VERSION);
    assert_eq!(report["outcomes"].as_array().map(Vec::len), Some(500));
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_may_be_recorded_after_its_replay() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 1).await;
    let dead_letter =
        rig.store.export_dead_letters(&DeadLetterFilter::default(), 0, 1).await.expect("letters").remove(0).1;
    worker.fail_with(0);
    let replay = replayed(&rig, order()).await;
    settled(&rig, replay.replay_id).await;
    rig.store.record(&dead_letter).await.expect("recorded");
    assert_eq!(rig.store.count_dead_letters(&DeadLetterFilter::default()).await.expect("a count"), 0);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_pull_goes_first() {
    let mut rig =
        Rig::new(World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(300) }))
            .await;
    let _worker = leave_dead_letters(&mut rig, 1, 1_000).await;
    rig.stop_all().await;
    let replay = replayed(&rig, order()).await;
    assert_eq!(rig.ready(&GAME_ENRICHER.info().replay()).await, 1_000);

    // The real game-enricher fails each replayed message, as the chunk is nowhere; the live pull overtakes them.
    rig.start_all();
    let report = rig.whole_pull().await;
    let waiting = rig.ready(&GAME_ENRICHER.info().replay()).await;
    assert!(waiting > 0, "the pull should have ended before the replay");
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    report_figure(&format!("{waiting} of 1000 replayed messages were still waiting when the pull had ended"));
    let back = settled(&rig, replay.replay_id).await;
    assert_eq!(back.returned_same + back.returned_different, 1_000);
    await_dead_letters(&rig, 1_000).await;
    rig.end(&[(DEAD, 1_000)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_of_dead_letters_may_be_told_in_any_order_while_they_leave_their_queue() {
    const LETTERS: i32 = 300;
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, LETTERS).await;
    rig.stop_all().await;
    let (filter, now) = (DeadLetterFilter::default(), rig.setup.clock.now());
    for round in 0..10 {
        let (lease, planned) = rig.store.plan_replay(&filter, &Plan::default(), now).await.expect("planned");
        assert_eq!(planned, i64::from(LETTERS), "round {round}");
        let replay_id = lease.replay_id;
        let sent = rig.store.replay_dead_letters(lease, planned, now).await.expect("letters");
        let ids: Vec<i64> = sent.iter().map(|dead_letter| dead_letter.id).collect();
        let replays = ids.iter().rev().map(|&letter_id| Replayed { replay_id, letter_id }).collect();
        let settled = Settled { replays, ..Settled::default() };
        let (noted, removed) =
            tokio::join!(rig.store.settle(&settled, now), rig.store.replay_removed(replay_id, &ids, now));
        noted.expect("noted");
        removed.expect("removed");
        rig.store.end_replay(replay_id, "complete", now).await.expect("ended");
        let sql = "with cured as (update dead_letter set state = 'dead' where state = 'cured' returning id)
            select count(*) from cured";
        let cured: i64 = rig.db.query_one(sql, &[]).await.expect("a count").get(0);
        assert_eq!(cured, i64::from(LETTERS), "round {round}");
    }
    rig.end(&[(DEAD, 300)]).await;
}
