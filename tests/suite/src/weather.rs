//! Bad weather at Twitch: whatever it answers for a while, the pull succeeds, every row is right, nothing is spent on it.

use std::time::Duration;

use chrono::TimeDelta;
use fake_twitch::{Effect, Fault, Scenario, When, World, WorldConfig};
use futures::{StreamExt, stream};
use shared::{
    clock::Clock,
    failure::Class,
    runtime::{Job, Step, Verdict, Worker, verdict},
    schema::PullRequested,
};

use crate::{
    eventually::eventually,
    rig::{Rig, Setup},
    truth::assert_true,
};

/// Faults that pass by themselves, or strike now and then.
const PASSING: [&str; 12] = [
    "server-errors",
    "unavailable",
    "html-200",
    "malformed-json",
    "cut-json",
    "cut-off",
    "reset",
    "null-data",
    "false-rate-limit",
    "unauthorized-once",
    "token-endpoint-down",
    "bad-weather",
];

async fn assert_survived(scenario: &str) {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(350))).await;

    rig.twitch.world().play(&scenario.parse::<Scenario>().expect("a scenario"));
    rig.start_all();
    let report = rig.whole_pull().await;

    assert_eq!(report.error, None, "{scenario}");
    // A page without data is a page without streams; everything else brings all of them.
    if scenario != "null-data" {
        let stored = assert_true(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
        assert_eq!(stored, 350, "{scenario}");
    }
    // This shows that no dead letter is there.
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_costs_nothing() {
    stream::iter(PASSING).for_each_concurrent(3, assert_survived).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_bucket_is_waited_for() {
    let clock = Clock::manual(Clock::System.now());
    let rig = Rig::with(World::generate(WorldConfig::plain(250)), Setup { clock, ..Setup::default() }).await;
    rig.twitch.faults(|faults| faults.push(Fault::new(Effect::DrainBucket).when(When::Call(2))));
    let extractor = rig.extractor();
    let pull_id = rig.store.request_pull("test", rig.setup.clock.now()).await.expect("a pull");
    let job = |steps| [Job { message: PullRequested { pull_id }, held: Duration::ZERO, steps }];
    let first = extractor.handle(&job(0)).await.remove(0);
    assert!(matches!(first, Ok(Step::More(_))), "{first:?}");

    let failure = extractor.handle(&job(1)).await.remove(0).expect_err("the bucket is empty");
    assert_eq!((failure.class, failure.code), (Class::RateLimited, "helix.rate_limited"));
    let wait = failure.retry_after.expect("how long to wait");
    assert!(
        wait > Duration::from_secs(30) && wait <= Duration::from_mins(1),
        "until the bucket is full: {wait:?}"
    );
    assert!(
        matches!(verdict(&failure, 1, &rig.setup.delays), Verdict::Hold(hold) if hold == wait),
        "burns no attempt"
    );

    rig.setup.clock.advance(TimeDelta::seconds(60));
    // The fake's bucket lives in real time, and refills a thousand points a second.
    let next =
        eventually("there should be points again", || async { extractor.handle(&job(1)).await.remove(0) })
            .await;
    assert!(matches!(next, Step::More(_)), "{next:?}");
    assert_eq!(rig.store.pull_report(pull_id).await.expect("a report").pages, 2, "nothing is lost");
    rig.end(&[]).await;
}
