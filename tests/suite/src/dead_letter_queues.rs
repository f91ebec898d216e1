//! Dead letters in the table and in their queues: what is told while somebody browses a queue, and when the broker drops some;
//! and memory that stays bounded however many there are.

use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::json;
use shared::store::DeadLetterFilter;

use crate::{
    dead_letter_rig::{DEAD, empty_rig, leave_dead_letters, operator, operator_json, report_figure, settled},
    eventually::eventually,
    process::{Options, Process},
    rig::Rig,
    wire::Wire,
};

fn in_state(state: &str) -> DeadLetterFilter {
    DeadLetterFilter { states: Some(vec![state.into()]), ..DeadLetterFilter::default() }
}

/// Waits until so many dead letters are in a state.
async fn become_state(rig: &Rig, state: &str, number: i64) {
    eventually(&format!("{number} dead letters should be {state}"), || async {
        let found = rig.store.count_dead_letters(&in_state(state)).await.expect("a count");
        if found == number { Ok(()) } else { Err(found) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_that_somebody_browses_are_told_and_a_replay_changes_nothing() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 6).await;
    worker.fail_with(0);
    let connection =
        Connection::connect(rig.vhost.url().expose_secret(), ConnectionProperties::default()).await;
    let connection = connection.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    channel.basic_qos(100, BasicQosOptions::default()).await.expect("a prefetch");
    let options = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
    let browsing = channel
        .basic_consume(DEAD.into(), "".into(), options, FieldTable::default())
        .await
        .expect("a browser");
    rig.waits(DEAD, 0).await;

    let (code, out, _) = operator(&rig, "status").await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("6 dead letters of the game-enricher"), "{out}");
    for command in ["dead-letters replay --all --yes", "dead-letters discard --stage game-enricher --yes"] {
        let (code, _, err) = operator(&rig, command).await;
        assert_eq!(code, 1, "{command}: {err}");
        assert!(err.contains("is being browsed by somebody else"), "{command}: {err}");
        assert_eq!(rig.store.count_dead_letters(&in_state("dead")).await.expect("a count"), 6, "{command}");
    }
    assert_eq!(rig.store.latest_replay().await.expect("an answer"), None, "no replay was begun");

    drop(browsing);
    channel.close(200, "browsed".into()).await.expect("closed");
    rig.waits(DEAD, 6).await;
    let replayed = operator_json(&rig, "dead-letters replay --all --yes").await;
    let report = settled(&rig, replayed["replay_id"].as_i64().expect("a number")).await;
    assert_eq!(report.done, 6);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_cannot_go_on_puts_back_what_it_did_not_begin() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 3).await;
    rig.stop_all().await;
    let (filter, at) = (DeadLetterFilter::default(), rig.setup.clock.now());
    let plan = shared::store::Plan { by: "test", ..shared::store::Plan::default() };
    let (lease, chosen) = rig.store.plan_replay(&filter, &plan, at).await.expect("a plan");
    assert_eq!(chosen, 3);
    // One may be out, as whoever sends it dies; the others were not touched.
    let first = rig.store.replay_dead_letters(lease, 1, at).await.expect("letters")[0].id;
    rig.store.replay_reached(lease, &[first], "sending").await.expect("noted");
    rig.store.give_up_replay(lease, "given up: test", at).await.expect("given up");
    assert_eq!(rig.store.count_dead_letters(&in_state("dead")).await.expect("a count"), 2);
    assert_eq!(rig.store.count_dead_letters(&in_state("replaying")).await.expect("a count"), 1);
    // Whoever comes next finishes what was begun, without waiting.
    rig.start(rig.extractor());
    become_state(&rig, "replaying", 0).await;
    rig.waits("game-enricher.replay", 1).await;
    rig.end(&[(DEAD, 2), ("game-enricher.replay", 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_that_the_broker_drops_are_told_until_they_are_back() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 5).await;
    rig.start(rig.extractor());
    let limit = json!({"pattern": "\\.dead$", "definition": {"max-length": 2}, "apply-to": "queues"});
    rig.vhost.call(Method::PUT, "policies/{vhost}/limit", Some(limit)).await;
    become_state(&rig, "vanished", 3).await;
    let (code, out, _) = operator(&rig, "status").await;
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("3 dead letters of the game-enricher vanished from their queue in the last day"),
        "{out}"
    );
    assert!(out.contains("`operator dead-letters list --state vanished` lists them"), "{out}");

    rig.vhost.call(Method::DELETE, "policies/{vhost}/limit", None).await;
    rig.waits(DEAD, 2).await;
    let gone = rig.store.list_dead_letters(&in_state("vanished"), 0, 10).await.expect("letters");
    let ids: Vec<String> = gone.iter().map(|dead_letter| dead_letter.id.to_string()).collect();
    // The policy may still be at work for a moment.
    eventually("all should be back", || async {
        let gone = rig.store.list_dead_letters(&in_state("vanished"), 0, 10).await.expect("letters");
        if !gone.is_empty() {
            operator_json(&rig, &format!("dead-letters restore {} --yes", ids.join(" "))).await;
        }
        let ready = rig.ready(DEAD).await;
        if ready == 5 { Ok(()) } else { Err(ready) }
    })
    .await;
    let status = operator(&rig, "status").await.1;
    assert!(status.contains("5 dead letters") && !status.contains("vanished"), "{status}");
    rig.end(&[(DEAD, 5)]).await;
}

/// Memory of a process, in MB.
fn memory(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_by_the_thousand_are_compared_in_little_memory() {
    const LETTERS: i64 = 2_000;
    const BODY: usize = 20_000;
    let rig = empty_rig().await;
    let wire = Wire::connect(&rig.vhost).await;
    for n in 0..LETTERS {
        let properties = BasicProperties::default().with_message_id(format!("m-{n}").into());
        wire.publish(DEAD, &properties, &vec![b'x'; BODY]).await;
    }
    rig.waits(DEAD, u32::try_from(LETTERS).expect("a number")).await;
    // No worker recorded them: each has to be read whole.
    let extractor = Process::start(&rig, "extractor", &Options::default());
    extractor.ready().await;
    become_state(&rig, "dead", LETTERS).await;
    rig.waits(DEAD, u32::try_from(LETTERS).expect("a number")).await;
    let peak = memory(&extractor);
    report_figure(&format!("{LETTERS} dead letters of {BODY} bytes were recorded with a peak of {peak} MB"));
    // All of them are 40 MB, and were several times as much.
    assert!(peak < 90, "{peak} MB");
    extractor.terminate().await;
    rig.end(&[(DEAD, u32::try_from(LETTERS).expect("a number"))]).await;
}
