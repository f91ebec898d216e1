//! Somebody is told when a message died: once, as a row, as a metric and in the log.

use chrono::TimeDelta;
use shared::{
    store::{AlarmLimits, DeadLetterFilter},
    topology::{GAME_ENRICHER, STAGES},
};

use crate::{
    builders::now,
    dead_letter_rig::{
        DEAD, FailingWorker, announce, await_dead_letters, empty_rig, leave_dead_letters, message,
        operator_json,
    },
    eventually::eventually,
    process::{Options, Process, probe},
    proxy::Proxy,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_dead_letter_is_told_once_by_two_finalizers() {
    let mut rig = empty_rig().await;
    let worker = FailingWorker::of(&rig, 1);
    rig.start(worker.clone());
    let finalizers = [(); 2].map(|()| Process::start(&rig, "finalizer", &Options::default()));
    let mut addresses = Vec::new();
    for finalizer in &finalizers {
        addresses.push(finalizer.ready().await);
    }
    announce(&rig, 3).await;
    let since = now() - TimeDelta::hours(1);
    let told = eventually("there should be an alarm", || async {
        let alarms = rig.store.alarms(since, 10).await.expect("alarms");
        if alarms.is_empty() { Err(alarms) } else { Ok(alarms) }
    })
    .await;
    assert!(told[0].queue == DEAD && told[0].kind == "first", "{told:?}");
    let mut raised = 0;
    for address in addresses {
        let metrics = eventually("each finalizer should tell of all dead letters", || async {
            let (_, metrics) = probe(address, "metrics").await;
            if metrics.contains(&format!("dead_letters{{queue=\"{DEAD}\"}} 3\n")) {
                Ok(metrics)
            } else {
                Err(metrics)
            }
        })
        .await;
        assert!(metrics.contains("build_info{program=\"finalizer\""), "{metrics}");
        for stage in STAGES {
            let age = format!("dead_letter_oldest_age_seconds{{queue=\"{}\"}}", stage.dead());
            assert!(metrics.contains(&age), "{metrics}");
        }
        raised += metrics.matches("dead_letter_alarms_total{").count();
    }
    assert_eq!(raised, 1, "one of the two raised it");
    let status = operator_json_of_status(&rig).await;
    assert_eq!(status["alarms"][0]["kind"], "first", "{status}");

    // In two hours the dead letters are old; also that is told once.
    let queues = [DEAD.to_owned()];
    let limits = AlarmLimits { age: std::time::Duration::from_hours(1), growth: 100 };
    let later = now() + TimeDelta::hours(2);
    let (depths, alarms) = rig.store.raise_alarms(&queues, limits, later).await.expect("a look");
    assert_eq!(depths.iter().map(|depth| depth.dead_letters).sum::<i64>(), 3);
    assert_eq!(alarms.iter().map(|alarm| alarm.kind.as_str()).collect::<Vec<_>>(), ["age"]);
    assert_eq!(rig.store.raise_alarms(&queues, limits, later).await.expect("a look").1, []);
    for finalizer in finalizers {
        finalizer.terminate().await;
    }
    rig.end(&[(DEAD, 3)]).await;
}

/// With dead letters all is not well, which its exit code says.
async fn operator_json_of_status(rig: &crate::rig::Rig) -> serde_json::Value {
    let (code, out, err) = crate::dead_letter_rig::operator(rig, "status --json").await;
    assert_eq!(code, 1, "{err}");
    serde_json::from_str(&out).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_looks_at_once_raise_each_alarm_once() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 120).await;
    rig.stop_all().await;
    rig.db.batch_execute("truncate alarm, alarm_watch").await.expect("nobody has looked yet");
    let queues = STAGES.map(|stage| stage.dead());
    let limits = AlarmLimits { age: std::time::Duration::from_hours(1), growth: 100 };
    let at = now();
    let looks = (0..8).map(|_| rig.store.raise_alarms(&queues, limits, at));
    let looks = futures::future::join_all(looks).await;
    let mut kinds: Vec<_> =
        looks.into_iter().flat_map(|look| look.expect("a look").1).map(|alarm| alarm.kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["first", "growth"]);
    rig.end(&[(DEAD, 120)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_failures_are_a_thousand_dead_letters_however_often_the_broker_is_gone() {
    const LETTERS: i32 = 1_000;
    let mut rig = empty_rig().await;
    let line = Proxy::to(&rig.amqp_url).await;
    rig.amqp_url = line.url(&rig.amqp_url);
    let worker = FailingWorker::of(&rig, 1);
    let work = (1..=LETTERS).map(|chunk| GAME_ENRICHER.request(&message(chunk)));
    rig.announcer.announce(work.collect()).await.expect("announced");
    rig.start(worker.clone());
    rig.start(rig.extractor());
    for dead in [1, 250, 500, 750] {
        eventually(&format!("{dead} should have died"), || async {
            let ready = rig.ready(DEAD).await;
            if ready >= dead { Ok(()) } else { Err(ready) }
        })
        .await;
        line.cut();
    }
    await_dead_letters(&rig, LETTERS.into()).await;
    let chunks = "select count(distinct chunk) as chunks from dead_letter";
    let row = rig.db.query_one(chunks, &[]).await.expect("a count");
    assert_eq!(row.get::<_, i64>("chunks"), i64::from(LETTERS), "each of them");
    assert_eq!(
        rig.store.count_dead_letters(&DeadLetterFilter::default()).await.expect("a count"),
        i64::from(LETTERS)
    );
    assert_eq!(operator_json(&rig, "dead-letters list --limit 1").await["matching"], LETTERS);
    rig.end(&[(DEAD, 1_000)]).await;
}
