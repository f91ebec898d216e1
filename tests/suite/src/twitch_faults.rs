//! Bad weather at Twitch: whatever it answers for a while, the pull succeeds, every row is right, nothing is spent on it.

use std::time::Duration;

use chrono::TimeDelta;
use extractor::Extractor;
use fake_twitch::{Effect, Endpoint, Fault, Scenario, When, World, WorldConfig};
use futures::{StreamExt, stream};
use shared::{
    clock::Clock,
    failure::Class,
    runtime::{Job, Outcome, Step, Verdict, Worker, verdict},
    schema::{Message, PullId, PullRequested},
    topology::{Announcement, EXTRACTOR},
};

use crate::{
    eventually::eventually,
    rig::{Rig, Setup},
    scripted::paused,
    token::Probed,
    truth::assert_matches_world,
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
        let stored = assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
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

    // The fake's bucket lives in real time, and refills a thousand points a second: it may be empty at the next call too.
    let next = eventually("there should be points again", || async {
        rig.setup.clock.advance(TimeDelta::seconds(60));
        extractor.handle(&job(1)).await.remove(0)
    })
    .await;
    assert!(matches!(next, Step::More(_) | Step::Done(_)), "{next:?}");
    let report = rig.store.pull_report(pull_id).await.expect("a report");
    assert!(report.pages >= 2 && report.duplicates == 0, "nothing is lost: {report:#?}");
    rig.end(&[]).await;
}

/// One step of a delivery, the first of which has number 0.
async fn step(extractor: &Extractor, pull_id: PullId, steps: u32) -> Outcome {
    let job = Job { message: PullRequested { pull_id }, held: Duration::ZERO, steps };
    extractor.handle(&[job]).await.remove(0)
}

/// A flow on a clock that the test moves, with an extractor that has stored the first page of a pull and announced it
/// again, as each delivery does once. The second page was refused once, so that nothing is read ahead of the test.
async fn on_the_second_page() -> (Rig, Extractor, PullId) {
    let clock = Clock::manual(Clock::System.now());
    let rig = Rig::with(World::generate(WorldConfig::plain(250)), Setup { clock, ..Setup::default() }).await;
    let refusal = Effect::Status { code: 400, message: "The cursor is malformed".into() };
    let once = Fault::new(refusal).on(Endpoint::Streams).when(When::Call(2));
    rig.twitch.faults(|faults| faults.push(once));
    let extractor = rig.extractor();
    let pull_id = rig.store.request_pull("test", rig.setup.clock.now()).await.expect("a pull");
    assert!(matches!(step(&extractor, pull_id, 0).await, Ok(Step::More(_))));
    let again = step(&extractor, pull_id, 0).await.expect("announced again");
    assert!(matches!(again, Step::More(said) if said.len() == 1), "once a delivery");
    let refused = step(&extractor, pull_id, 1).await.expect_err("the cursor is refused");
    assert_eq!((refused.class, refused.code), (Class::Transient, "helix.bad_request"));
    (rig, extractor, pull_id)
}

fn streams(rig: &Rig) -> u64 {
    rig.twitch.stats().calls(Endpoint::Streams)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_cannot_be_stored_is_fetched_once_and_nothing_is_announced() {
    let (rig, extractor, pull) = on_the_second_page().await;
    let full = "create function disk_is_full() returns trigger language plpgsql as $$
                begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
                create trigger disk_is_full before insert on pull_chunk execute function disk_is_full()";
    rig.db.batch_execute(full).await.expect("the disk is full");
    let before = streams(&rig);
    for _ in 0..20 {
        let failure = step(&extractor, pull, 1).await.expect_err("the disk is full");
        assert_eq!((failure.class, failure.code), (Class::Outage, "store.resources"));
    }
    assert!(streams(&rig) <= before + 2, "what was read is kept for the next try");

    rig.db.batch_execute("drop trigger disk_is_full on pull_chunk").await.expect("there is room");
    let said = to_the_end(&extractor, pull).await;
    let kind = shared::schema::ChunkStored::KIND;
    assert_eq!(said.iter().map(|said| said.kind).collect::<Vec<_>>(), [kind, kind]);
    assert_eq!(streams(&rig), before + 2, "each page was fetched once");
    let report = rig.store.pull_report(pull).await.expect("a report");
    assert_eq!((report.pages, report.stored, report.helix_calls), (3, 250, 4));
    rig.end(&[]).await;
}

/// The other steps of a delivery, and what they announce.
async fn to_the_end(extractor: &Extractor, pull: PullId) -> Vec<Announcement> {
    let mut said = Vec::new();
    loop {
        match step(extractor, pull, 1).await.expect("it should be stored") {
            Step::More(more) => said.extend(more),
            Step::Done(last) => {
                said.extend(last);
                return said;
            }
            Step::Hold(delay) => panic!("nobody else fetches it: {delay:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_costs_three_requests_a_minute_and_no_announcement() {
    let (rig, extractor, pull) = on_the_second_page().await;
    let refusal = Effect::Status { code: 401, message: "Invalid OAuth token".into() };
    rig.twitch.faults(|faults| faults.push(Fault::new(refusal).when(When::Always)));
    for _ in 0..30 {
        let failure = step(&extractor, pull, 1).await.expect_err("no token is good");
        assert_eq!((failure.class, failure.code), (Class::Auth, "helix.unauthorized"));
        assert_eq!(extractor.ready().await.expect_err("no token is good").class, Class::Auth);
        rig.setup.clock.advance(TimeDelta::seconds(2));
    }
    assert!(rig.twitch.stats().calls(Endpoint::Token) <= 4, "three, and one more after a minute");

    rig.twitch.world().heal();
    extractor.ready().await.expect("the probe finds that it works again");
    to_the_end(&extractor, pull).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sick_twitch_pauses_the_stage_at_its_first_failure() {
    let (mut rig, extractor, pull) = on_the_second_page().await;
    rig.twitch.world().play(&"outage".parse::<Scenario>().expect("a scenario"));
    // At its first failure: a probe fails as well, so no message pays for it.
    let failure = step(&extractor, pull, 1).await.expect_err("Twitch is down");
    assert_eq!((failure.class, failure.code), (Class::Outage, "helix.outage"));
    let extractor = Probed::start(&rig, extractor);
    rig.announcer
        .announce(vec![EXTRACTOR.request(&PullRequested { pull_id: pull })])
        .await
        .expect("announced");
    let said = paused(&rig, "extractor", "helix.outage").await.reason.unwrap_or_default();
    assert!(said.contains("Twitch has been failing since") && said.contains("503 from /streams"), "{said}");
    extractor.readyz(503).await;
    let report = rig.store.pull_report(pull).await.expect("a report");
    assert_eq!((report.status.as_str(), report.error), ("pending", None));

    rig.twitch.world().heal();
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    rig.start(rig.finalizer());
    rig.succeeded(pull).await;
    extractor.stop().await;
    rig.end(&[]).await;
}
