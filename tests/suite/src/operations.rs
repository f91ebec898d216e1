//! What people order is a row: an extractor carries it out, whoever dies; everybody sees the same, and can stop it.

use serde_json::Value;
use shared::{
    operations::{self, Action, Careful, Requester},
    store::{DeadLetterFilter, OperationRow, RerunFrom},
    topology::GAME_ENRICHER,
};

use crate::{
    builders::now,
    dead_letter_rig::{
        DEAD, await_dead_letters, command, empty_rig, leave_dead_letters, operator, operator_json, settled,
    },
    eventually::eventually,
    rig::Rig,
};

/// A replay of all dead letters, so many per second.
fn replay(rate: Option<f64>, canary: Option<Careful>) -> Action {
    Action::Replay { filter: DeadLetterFilter::default(), to: None, limit: None, rate, canary, exactly: true }
}

/// Orders it as somebody does who looks at the console.
async fn order(rig: &Rig, action: &Action, counted: Option<i64>) -> i64 {
    let requester = Requester { by: "ada", from: "console", counted };
    operations::request(&rig.store, &rig.setup.clock, action, requester).await.expect("ordered")
}

async fn row(rig: &Rig, id: i64) -> OperationRow {
    rig.store.operation(id).await.expect("an answer").expect("an operation")
}

async fn ended(rig: &Rig, id: i64) -> OperationRow {
    eventually(&format!("operation {id} should end"), || async {
        let row = row(rig, id).await;
        if row.ended_at.is_some() { Ok(row) } else { Err(row) }
    })
    .await
}

/// Waits until a replay has sent something.
async fn begun(rig: &Rig, id: i64) {
    eventually(&format!("operation {id} should have sent something"), || async {
        let steps = rig.store.operation_steps(id).await.expect("steps");
        if steps.len() > 1 { Ok(()) } else { Err(steps) }
    })
    .await;
}

/// As if whoever carries operations out was silent for too long.
async fn let_claims_run_out(rig: &Rig) {
    let sql = "update operation set carried_until = now() - interval '1 s' where ended_at is null; notify operation";
    rig.db.batch_execute(sql).await.expect("an update");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_carried_out_in_growing_batches_and_everybody_sees_the_same() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 30).await;
    worker.fail_with(0);
    rig.start(rig.extractor());
    let id = order(&rig, &replay(None, Some(Careful { tolerate: 0.1, patience: 60.0 })), Some(30)).await;
    let row = ended(&rig, id).await;
    assert_eq!((row.state.as_str(), row.stop_by), ("done", None));
    assert_eq!(
        row.outcome.as_deref(),
        Some("30 of 30 dead letters sent: 30 resolved, 0 failed again, 0 pending")
    );
    assert!(row.carried_by.is_some_and(|carrier| carrier.starts_with("extractor ")));
    let steps = rig.store.operation_steps(id).await.expect("steps");
    let settled = ["1 of", "3 of", "8 of", "18 of", "30 of"].map(|sent| {
        steps.iter().any(|step| step.step.starts_with(sent) && step.step.ends_with(" 0 pending"))
    });
    assert_eq!(settled, [true; 5], "{steps:#?}");
    assert_eq!(worker.handled().len(), 30);

    // The command line sees it, and its own orders are no different.
    let shown = operator_json(&rig, &format!("operations show {id}")).await;
    assert_eq!((&shown["requested_by"], &shown["replay"]["done"]), (&Value::from("ada"), &Value::from(30)));
    assert_eq!(shown["command"], "dead-letters replay --all --canary --tolerate 0.1 --patience 1m");
    for words in ["pause finalizer --reason maintenance --by bela", "resume finalizer --by bela"] {
        assert_eq!(operator(&rig, words).await.0, 0, "{words}");
    }
    let (code, list, _) = operator(&rig, "operations").await;
    assert_eq!(code, 0);
    for words in ["pause finalizer --reason maintenance", "resume finalizer", "replay --all"] {
        assert!(list.contains(words), "{words:?} is missing in\n{list}");
    }
    let audit = rig.store.audit(10).await.expect("orders");
    let orders: Vec<_> = audit.iter().map(|order| (order.by.as_str(), order.action.as_str())).collect();
    assert_eq!(orders, [("bela", "resume"), ("bela", "pause"), ("ada", "replay")], "each is recorded once");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_goes_on_with_another_extractor_and_sends_each_dead_letter_once() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 60).await;
    worker.fail_with(0);
    let first = rig.run(rig.extractor());
    let id = order(&rig, &replay(Some(15.0), None), Some(60)).await;
    begun(&rig, id).await;
    first.kill();
    let_claims_run_out(&rig).await;
    rig.start(rig.extractor());
    let row = ended(&rig, id).await;
    assert_eq!(row.state, "done", "{row:?}");
    settled(&rig, row.replay_id.expect("a replay")).await;
    let handled = worker.handled();
    assert_eq!(handled.len(), 60);
    // What was about to be sent when it died may have been out: the handlers do their work once, as after any second delivery.
    let replays: i64 = rig.db.query_one("select count(*) from replay", &[]).await.expect("a count").get(0);
    assert_eq!(replays, 1, "whoever goes on goes on with the same");
    let steps = rig.store.operation_steps(id).await.expect("steps");
    assert!(steps.iter().any(|step| step.step.starts_with("taken over by extractor")), "{steps:#?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_is_stopped_from_anywhere_and_goes_on_after_an_orderly_stop() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 60).await;
    worker.fail_with(0);
    let first = rig.run(rig.extractor());
    let id = order(&rig, &replay(Some(4.0), None), Some(60)).await;
    begun(&rig, id).await;
    // Told to stop, it hands over at once.
    first.stop().await;
    assert_eq!(row(&rig, id).await.state, "running");
    rig.start(rig.extractor());
    eventually("the other should take over", || async {
        let steps = rig.store.operation_steps(id).await.expect("steps");
        if steps.iter().any(|step| step.step.starts_with("taken over")) { Ok(()) } else { Err(steps) }
    })
    .await;
    operator_json(&rig, &format!("operations stop {id} --by bela")).await;
    let row = ended(&rig, id).await;
    assert_eq!((row.state.as_str(), row.stop_by.as_deref()), ("stopped", Some("bela")));
    let report =
        rig.store.replay_report(row.replay_id.expect("a replay")).await.expect("a report").expect("it");
    assert!(report.letters < 60, "the rest was not sent: {report:?}");
    await_dead_letters(&rig, 60 - report.letters).await;
    // Stopped is stopped; and an order that nobody has begun ends at once.
    assert_eq!(operator_json(&rig, &format!("operations stop {id} --by carla")).await["stop_by"], "bela");
    rig.stop_all().await;
    let waits = order(&rig, &Action::Resume { stage: "finalizer".into() }, None).await;
    assert_eq!(operator_json(&rig, &format!("operations stop {waits}")).await["state"], "stopped");
    let left = u32::try_from(60 - report.letters).expect("a number");
    rig.end(&[(DEAD, left)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_done_where_others_match_than_were_confirmed() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 5).await;
    rig.stop_all().await;
    rig.start(rig.extractor());
    let discard = Action::Discard { filter: DeadLetterFilter::default(), exactly: true };
    for action in [replay(None, None), discard.clone()] {
        let row = ended(&rig, order(&rig, &action, Some(4)).await).await;
        assert_eq!(row.state, "failed");
        let why = "5 dead letters match now, and 4 were confirmed: nothing was changed";
        assert_eq!(row.outcome.as_deref(), Some(why));
        assert_eq!(row.replay_id, None);
    }
    await_dead_letters(&rig, 5).await;
    let ids: Vec<i64> = rig
        .store
        .list_dead_letters(&DeadLetterFilter::default(), 0, 10)
        .await
        .expect("dead letters")
        .iter()
        .map(|dead_letter| dead_letter.id)
        .collect();
    let two = DeadLetterFilter { ids: Some(ids[..2].to_vec()), ..DeadLetterFilter::default() };
    for (action, counted, outcome) in [
        (Action::Hold { filter: two.clone(), until_build: None }, Some(2), "2 dead letters held"),
        (Action::Release { filter: two.clone() }, Some(2), "2 dead letters released"),
        (discard, Some(5), "5 dead letters discarded"),
        (Action::Restore { ids: ids.clone() }, None, "5 dead letters restored"),
        (
            Action::Pause { stage: "finalizer".into(), reason: None, seconds: None },
            None,
            "the finalizer is paused",
        ),
        (Action::Resume { stage: "finalizer".into() }, None, "the finalizer goes on"),
        (Action::Cancel { pull: 404, reason: None }, None, "there is no pull 404"),
        (Action::Rerun { pull: 404, from: RerunFrom::Games }, None, "there is no pull 404"),
    ] {
        let row = ended(&rig, order(&rig, &action, counted).await).await;
        assert!(row.outcome.as_deref().is_some_and(|found| found.starts_with(outcome)), "{row:?}");
    }
    await_dead_letters(&rig, 5).await;

    // What nobody took on for so long is void.
    rig.stop_all().await;
    let late =
        order(&rig, &Action::Discard { filter: DeadLetterFilter::default(), exactly: true }, Some(5)).await;
    rig.db
        .batch_execute("update operation set requested_at = requested_at - interval '2 hours'")
        .await
        .expect("aged");
    rig.start(rig.extractor());
    let row = ended(&rig, late).await;
    assert!(
        row.outcome.as_deref().is_some_and(|outcome| outcome.starts_with("nobody took it on")),
        "{row:?}"
    );
    await_dead_letters(&rig, 5).await;
    rig.end(&[(DEAD, 5)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_follows_what_an_extractor_carries_out_and_does_it_itself_where_none_takes_it_on() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 10).await;
    rig.start(rig.extractor());
    eventually("the extractor should be known", || async {
        let workers = rig.store.worker_states(now()).await.expect("states");
        if workers.iter().any(|worker| worker.stage == "extractor") { Ok(()) } else { Err(workers) }
    })
    .await;
    // A canary that is disappointed exits 3, wherever it ran.
    let (code, _, err) = operator(&rig, "dead-letters replay --all --canary --yes").await;
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("came back") && err.contains("10 dead letters still match"), "{err}");
    assert!(row(&rig, 1).await.carried_by.is_some_and(|carrier| carrier.starts_with("extractor ")));
    await_dead_letters(&rig, 10).await;

    worker.fail_with(0);
    let report = operator_json(&rig, "dead-letters replay --all --canary --yes").await;
    assert_eq!((&report["letters"], &report["done"]), (&Value::from(10), &Value::from(10)));

    // One that was killed is known, and takes nothing on; no two carry the same out.
    rig.stop_all().await;
    let worker = leave_dead_letters(&mut rig, 1, 4).await;
    worker.fail_with(0);
    let silent = "insert into worker_state (stage, replica, build, host, state, since, in_hand, seen_at)
        values ('extractor', 'killed', '', '', 'consuming', now(), 0, now())";
    rig.db.batch_execute(silent).await.expect("as if it ran");
    let output = tokio::task::spawn_blocking({
        let mut replay = command(&rig, "dead-letters replay --all --yes --json");
        move || replay.output()
    });
    let output = output.await.expect("a thread").expect("run");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.contains("no extractor has taken operation 3 on"), "{err}");
    assert!(row(&rig, 3).await.carried_by.is_some_and(|carrier| carrier.starts_with("operator ")));
    let claims = tokio::join!(
        rig.store.claim_operation(Some(3), "a", now()),
        rig.store.claim_operation(None, "b", now())
    );
    assert!(
        claims.0.expect("an answer").is_none() && claims.1.expect("an answer").is_none(),
        "nothing is left"
    );
    rig.waits(&GAME_ENRICHER.info().replay(), 0).await;
    rig.end(&[]).await;
}
