//! What people order is obeyed by every replica: a pause, one message, the end of a pause, the end of a pull.

use std::time::Duration;

use chrono::TimeDelta;
use extractor::Schedule;
use fake_twitch::{Latency, Settings as TwitchSettings, World, WorldConfig};
use serde_json::Value;
use shared::{
    schema::PullId,
    steering::{PAUSED_BY_PERSON, StagePause},
    store::WorkerRow,
};

use crate::{
    builders::now,
    dead_letter_rig::{empty_rig, operator, operator_json},
    eventually::eventually,
    process::{Options, Process, probe},
    rig::{Rig, Setup},
    scripted::{Scripted, announce_work, consuming},
    truth::assert_matches_world,
};

/// The replicas of a stage that say that a person has paused it, once there are so many.
async fn obeying(rig: &Rig, stage: &str, replicas: usize) -> Vec<WorkerRow> {
    eventually(&format!("{replicas} replicas of the {stage} should obey"), || async {
        let states = rig.store.worker_states(now()).await.expect("states");
        let obey = |row: &&WorkerRow| row.stage == stage && row.code.as_deref() == Some(PAUSED_BY_PERSON);
        let obeying: Vec<WorkerRow> = states.iter().filter(obey).cloned().collect();
        if obeying.len() == replicas { Ok(obeying) } else { Err(states) }
    })
    .await
}

/// How many messages all of them were given.
fn given(workers: &[&Scripted]) -> usize {
    workers.iter().flat_map(|worker| worker.given().into_values()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_stage_takes_nothing_but_what_it_is_asked_for_one_by_one() {
    let mut rig = empty_rig().await;
    let (one, two, late) = (Scripted::new(&rig), Scripted::new(&rig), Scripted::new(&rig));
    let first = rig.run(one.clone());
    rig.start(two.clone());
    consuming(&rig, "game-enricher").await;

    let (code, out, err) =
        operator(&rig, "pause game-enricher --for 1h --reason maintenance --by anna").await;
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with("the game-enricher is paused by anna until "), "{out}");
    for obeys in obeying(&rig, "game-enricher", 2).await {
        assert!(obeys.reason.expect("a reason").ends_with(": maintenance"));
    }
    announce_work(&rig, 20).await;
    rig.waits("game-enricher", 20).await;

    // However many replicas there are, each request is for one message.
    let (a, b) = tokio::join!(
        operator_json(&rig, "run-once game-enricher --by anna"),
        operator_json(&rig, "run-once game-enricher --by bela")
    );
    assert_eq!((&a["outcome"], &b["outcome"]), (&Value::from("settled"), &Value::from("settled")));
    assert_ne!(a["message_id"], b["message_id"]);
    assert_eq!(given(&[&one, &two]), 2);
    rig.waits("game-enricher", 18).await;

    // A replica that starts later obeys as well, and one that is killed has nothing in hand.
    first.kill();
    let before_late = now();
    rig.start(late.clone());
    eventually("the new replica should obey", || async {
        let states = rig.store.worker_states(now()).await.expect("states");
        if states.iter().filter(|row| row.stage == "game-enricher").count() == 3 {
            Ok(())
        } else {
            Err(states)
        }
    })
    .await;
    rig.waits("game-enricher", 18).await;
    assert_eq!(given(&[&one, &two, &late]), 2);
    // In the line of time it starts when it starts, and not when the pause began.
    let sql = "select string_agg(event, ' ' order by event desc) as told from worker_history where at >= $1";
    let told: Option<String> = rig.db.query_one(sql, &[&before_late]).await.expect("a history").get("told");
    assert_eq!(told.as_deref(), Some("started paused"));

    assert_eq!(operator_json(&rig, "resume game-enricher --by anna").await["was_paused"], true);
    eventually("all should be handled", || async {
        let handled = given(&[&one, &two, &late]);
        if handled == 20 { Ok(()) } else { Err(handled) }
    })
    .await;
    let (code, _, err) = operator(&rig, "run-once game-enricher").await;
    assert!(code == 1 && err.contains("the game-enricher is not paused"), "{err}");
    let sql = "select string_agg(by || ' ' || action || ' ' || stage, ', ' order by id) from steering";
    let record: String = rig.db.query_one(sql, &[]).await.expect("a record").get(0);
    let ordered: Vec<&str> = record.split(", ").collect();
    assert_eq!((ordered.len(), ordered[0]), (4, "anna pause game-enricher"), "{ordered:?}");
    assert_eq!(ordered[3], "anna resume game-enricher");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_ends_by_itself_and_without_messages_nothing_waits() {
    let mut rig = empty_rig().await;
    let worker = Scripted::new(&rig);
    rig.start(worker.clone());
    consuming(&rig, "game-enricher").await;
    let (code, _, err) = operator(&rig, "pause game-enricher --for 3s").await;
    assert_eq!(code, 0, "{err}");
    obeying(&rig, "game-enricher", 1).await;
    let (code, out, err) = operator(&rig, "run-once game-enricher --json").await;
    assert_eq!(code, 1, "{err}");
    assert!(out.contains(r#""outcome":"nothing-waits""#), "{out}");
    announce_work(&rig, 2).await;
    consuming(&rig, "game-enricher").await;
    eventually("both should be handled", || async {
        let handled = given(&[&worker]);
        if handled == 2 { Ok(()) } else { Err(handled) }
    })
    .await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_waits_for_a_paused_extractor_and_is_not_failed_for_it() {
    let world = World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(1_500) });
    let setup = Setup::default();
    let latency = Latency::of(Duration::from_millis(100));
    let setup = Setup {
        // Longer than a busy machine takes for a page, or the watch asks for the pull once more.
        stalled_after: Duration::from_secs(3),
        twitch: TwitchSettings { latency, ..setup.twitch },
        ..setup
    };
    let mut rig = Rig::with(world, setup).await;
    let replicas = [(); 2].map(|()| Process::start(&rig, "extractor", &Options::default()));
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    rig.start(rig.finalizer());
    let addresses = [replicas[0].ready().await, replicas[1].ready().await];
    let pull = rig.pull().await;
    rig.reached(pull, "stored", 1).await;
    let (code, _, err) = operator(&rig, "pause extractor --by anna --reason quota").await;
    assert_eq!(code, 0, "{err}");
    obeying(&rig, "extractor", 2).await;
    for address in addresses {
        let (code, why) = probe(address, "readyz").await;
        assert_eq!((code.as_u16(), why.as_str()), (503, "paused by anna: quota\n"));
        assert_eq!(probe(address, "livez").await.0.as_u16(), 200, "it lives");
    }
    let stored = rig.store.pull_report(pull).await.expect("a report");
    assert!(stored.extracted_at.is_none(), "there is more to fetch: {stored:?}");
    // Its message is back in the queue, and none of its deliveries is spent.
    rig.waits("extractor", 1).await;
    let waiting = operator_json(&rig, "peek extractor").await;
    assert_eq!(waiting["message_id"], format!("pull-requested/{pull}"));
    let (code, out, err) = operator(&rig, &format!("wait {pull} --timeout 3s")).await;
    assert_eq!(code, 124, "{out}");
    assert!(err.contains("the extractor is paused by anna: quota; `operator resume extractor`"), "{err}");
    eventually("the stall watch should have looked a few times", || async {
        let sql = "select rescued_at is not null from pull where id = $1";
        let looked: bool = rig.db.query_one(sql, &[&pull.0]).await.expect("a row").get(0);
        if looked { Ok(()) } else { Err(()) }
    })
    .await;
    assert_eq!(rig.store.pull_report(pull).await.expect("a report").rescues, 0);
    // A slot that is due meanwhile becomes no pull, and says why.
    let schedule = Schedule::Every(TimeDelta::minutes(10));
    assert_eq!(schedule.tick(&rig.store, now()).await.expect("a decision"), None);
    let missed = rig.store.missed_slots(1).await.expect("slots");
    assert_eq!(missed[0].reason, "the extractor was paused by anna: quota");

    // A pull that is asked for all the same: one message, the first that waits.
    let (code, _, err) = operator(&rig, "pull --json").await;
    assert!(code == 0 && err.contains("the extractor is paused by anna: quota"), "{err}");
    let (code, _, err) = operator(&rig, "pull --now --json").await;
    assert_eq!((code, err.as_str()), (0, ""));
    rig.succeeded(pull).await;
    rig.waits("extractor", 2).await;
    obeying(&rig, "extractor", 2).await;

    operator_json(&rig, "resume extractor").await;
    assert_matches_world(&rig.db, pull, rig.twitch.world(), 10).await;
    for later in [pull.0 + 1, pull.0 + 2] {
        rig.succeeded(PullId(later)).await;
    }
    for replica in replicas {
        replica.terminate().await;
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_pull_ends_and_its_messages_are_dropped_where_they_arrive() {
    let world = World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(600) });
    let mut rig = Rig::new(world).await;
    let pause = StagePause {
        stage: "channel-enricher".into(),
        paused_by: "anna".into(),
        reason: None,
        paused_at: now(),
        until: None,
    };
    rig.store.pause_stage(&pause).await.expect("a pause");
    rig.start_all();
    let (cancelled, other) = (rig.pull().await, rig.pull().await);
    for pull in [cancelled, other] {
        rig.reached(pull, "games", 6).await;
    }
    rig.waits("channel-enricher", 12).await;
    let peeked = operator(&rig, "peek channel-enricher --json").await.1;
    assert_eq!(peeked.lines().count(), 12, "{peeked}");

    let done = operator_json(&rig, &format!("cancel {cancelled} --yes --by anna --reason mistake")).await;
    assert_eq!((&done["pull_id"], &done["announced"]), (&cancelled.0.into(), &true.into()));
    rig.store.resume_stage("channel-enricher", "anna", now()).await.expect("a resume");
    rig.stored_world(other).await;
    eventually("nothing should wait", || async { if rig.is_done().await { Ok(()) } else { Err(()) } }).await;
    let report = rig.store.pull_report(cancelled).await.expect("a report");
    assert_eq!((report.status.as_str(), report.channels_chunks, report.merged_chunks), ("failed", 0, 0));
    assert_eq!(report.error.as_deref(), Some("cancelled by anna: mistake"));
    let (code, _, err) = operator(&rig, &format!("cancel {cancelled} --yes")).await;
    assert!(code == 1 && err.contains("has ended already (failed)"), "{err}");

    // What a person has cancelled only a person brings back.
    operator_json(&rig, &format!("rerun {cancelled} --yes")).await;
    rig.stored_world(cancelled).await;
    rig.end(&[]).await;
}
