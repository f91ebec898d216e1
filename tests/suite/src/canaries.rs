//! Replays that try a few dead letters first.

use std::time::Duration;

use shared::{
    dead_letters::{Canary, Order},
    topology::GAME_ENRICHER,
};

use crate::dead_letter_rig::{DEAD, await_dead_letters, empty_rig, leave_dead_letters, operator};
use crate::replays::{order, replayed};

fn careful() -> Canary {
    Canary { tolerate: 0.1, patience: Duration::from_mins(1) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_stops_while_the_cause_is_there_and_goes_on_when_it_is_cured() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 500).await;
    let (code, out, err) =
        operator(&rig, "dead-letters replay --all --canary --patience 30s --yes --json").await;
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("came back (1 for the same cause)"), "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert!(report["letters"].as_i64().expect("a number") <= 3, "{report}");
    await_dead_letters(&rig, 500).await;

    worker.fail_with(0);
    let replay = replayed(&rig, Order { canary: Some(careful()), ..order() }).await;
    assert_eq!((replay.stopped, replay.report.done), (None, 500));
    assert_eq!(worker.handled().len(), 500);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_without_a_worker_says_so() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 5).await;
    rig.stop_all().await;
    let canary = Some(Canary { tolerate: 0.1, patience: Duration::from_millis(300) });
    let replay = replayed(&rig, Order { canary, ..order() }).await;
    let why = replay.stopped.expect("nothing can come of it");
    assert!(why.contains("no result for 1 replayed"), "{why}");
    assert_eq!(replay.report.letters, 1);
    rig.end(&[(DEAD, 4), (&GAME_ENRICHER.info().replay(), 1)]).await;
}
