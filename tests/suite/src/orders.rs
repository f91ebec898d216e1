//! How workers hear what people order, where that is not easy: few sessions, a missing right, a listener that panics.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use fake_twitch::{World, WorldConfig};
use futures::future::BoxFuture;
use shared::{
    clock::Clock,
    failure::Failure,
    steering::{Orders, PAUSED_BY_PERSON, RunOnceOutcome, StagePause, Steering},
    store::Store,
};
use tokio::time::timeout;

use crate::{
    builders::now,
    dead_letter_rig::empty_rig,
    eventually::eventually,
    rig::{Rig, Setup},
    scripted::{Scripted, consuming, paused},
};

const STAGES: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];

fn pause(stage: &str) -> StagePause {
    StagePause { stage: stage.into(), paused_by: "me".into(), reason: None, paused_at: now(), until: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_workers_make_a_pull_and_hear_orders_with_six_sessions() {
    let world = World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(300) });
    let mut rig = Rig::with(world, Setup { delays: "1h".parse().expect("delays"), ..Setup::default() }).await;
    let role = format!("six_{}", rig.database.name());
    let programs = STAGES.map(|stage| format!("twitch_{}", stage.replace('-', "_"))).join(", ");
    let create = format!("create user {role} password 'six' connection limit 6; grant {programs} to {role}");
    rig.db.batch_execute(&create).await.expect("a user with a limit");
    let url = rig.database.plain_url();
    let (_, place) = url.rsplit_once('@').expect("a user");
    rig.database_at = Some(format!("{role}:six@{}", place.split('/').next().expect("a host")));
    rig.start_all();
    let pull = rig.pull().await;
    rig.stored_world(pull).await;
    for stage in STAGES {
        consuming(&rig, stage).await;
        rig.store.pause_stage(&pause(stage)).await.expect("a pause");
        paused(&rig, stage, PAUSED_BY_PERSON).await;
    }
    rig.stop_all().await;
    rig.database_at = None;
    let drop = format!("revoke {programs} from {role}; drop user {role}");
    eventually("the user should go", || async { rig.db.batch_execute(&drop).await }).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_may_not_hear_orders_says_which_right_it_lacks() {
    let mut rig = empty_rig().await;
    rig.db.batch_execute("revoke select on stage_pause from twitch_finalizer").await.expect("a revoke");
    rig.start(rig.finalizer());
    let told = paused(&rig, "finalizer", "store.denied").await;
    let why = told.reason.unwrap_or_default();
    assert!(why.contains("permission denied for table stage_pause"), "{why}");
    rig.db.batch_execute("grant select on stage_pause to twitch_finalizer").await.expect("a grant");
    consuming(&rig, "finalizer").await;
    rig.end(&[]).await;
}

/// Tells orders once, and then panics; from the second time on it is as it should be.
struct Fragile {
    store: Store,
    followed: AtomicU32,
}

impl Steering for Fragile {
    fn follow<'a>(
        &'a self,
        stage: &'static str,
        clock: &'a Clock,
        tell: &'a (dyn Fn(Orders) + Send + Sync),
    ) -> BoxFuture<'a, Failure> {
        if self.followed.fetch_add(1, Ordering::SeqCst) > 0 {
            return self.store.follow(stage, clock, tell);
        }
        tell(Orders::default());
        Box::pin(async { panic!("a column is of another type") })
    }

    fn cancelled<'a>(&'a self, pulls: &'a [i64]) -> BoxFuture<'a, Result<HashSet<i64>, Failure>> {
        self.store.cancelled(pulls)
    }

    fn take_run_once<'a>(
        &'a self,
        stage: &'static str,
        replica: &'a str,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Option<i64>, Failure>> {
        self.store.take_run_once(stage, replica, now)
    }

    fn note_run_once<'a>(
        &'a self,
        request: i64,
        outcome: RunOnceOutcome,
        message_id: Option<&'a str>,
        now: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        self.store.note_run_once(request, outcome, message_id, now)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_heard_again_after_whoever_listens_has_panicked() {
    let mut rig = empty_rig().await;
    let fragile = Arc::new(Fragile { store: rig.store.clone(), followed: AtomicU32::new(0) });
    rig.start(Scripted::steered_by(&rig, Arc::clone(&fragile) as Arc<dyn Steering>));
    consuming(&rig, "game-enricher").await;
    rig.store.pause_stage(&pause("game-enricher")).await.expect("a pause");
    paused(&rig, "game-enricher", PAUSED_BY_PERSON).await;
    assert!(fragile.followed.load(Ordering::SeqCst) > 1, "it was begun again");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_has_ended_leaves_no_session_behind() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    for stage in STAGES {
        let worker = rig.run_stage(stage);
        let works = || async {
            let sql = "select count(*) as working from worker_state where stage = $1 and state = 'consuming'";
            let working: i64 = rig.db.query_one(sql, &[&stage]).await.expect("a count").get("working");
            if working > 0 { Ok(()) } else { Err(working) }
        };
        eventually("it should work", works).await;
        worker.stop().await;
        let sql =
            "select string_agg(application_name || ': ' || query, '; ') as sessions from pg_stat_activity
                   where datname = current_database() and usename <> current_user";
        let left = || async {
            let row = rig.db.query_one(sql, &[]).await.expect("sessions");
            let left: Option<String> = row.get("sessions");
            left.map_or(Ok(()), Err)
        };
        // Long before they would be closed because nobody uses them.
        timeout(Duration::from_secs(30), eventually("its sessions should end", left)).await.expect("soon");
    }
    rig.end(&[]).await;
}
