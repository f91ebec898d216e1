//! Background duties: one that fails is told and counted, harms no other, and works again when its cause is repaired; and
//! what only one replica needs to do, one does.

use std::time::Duration;

use fake_twitch::{World, WorldConfig};
use reqwest::StatusCode;
use shared::store::{Error, Store};

use crate::{
    builders::{extracted, pages},
    eventually::eventually,
    process::{Options, Process, probe},
    rig::{Rig, Setup},
    wire::purge,
};

fn world() -> World {
    World::generate(WorldConfig::plain(250))
}

/// A metric of a duty, as a program tells it.
fn value(metrics: &str, name: &str, duty: &str) -> f64 {
    let series = format!("{name}{{duty=\"{duty}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap_or_else(|| panic!("{series} should be told: {metrics}")).parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duty_that_meets_a_column_of_another_type_is_told_and_harms_no_other() {
    let mut rig = Rig::new(world()).await;
    let alter = "alter table alarm_watch alter letters drop default, alter letters type text, alter letters set default '0'";
    rig.db.batch_execute(alter).await.expect("altered");
    let finalizer = Process::start(&rig, "finalizer", &Options::default());
    let address = finalizer.ready().await;
    let why = "duty dead-letter-alarms has failed ";
    let (_, told) = eventually("the probe should tell of the duty", || async {
        let answer = probe(address, "readyz").await;
        if answer.0 == StatusCode::SERVICE_UNAVAILABLE { Ok(answer) } else { Err(answer) }
    })
    .await;
    assert!(told.starts_with(why) && told.contains("column letters"), "{told}");
    let (_, metrics) = probe(address, "metrics").await;
    assert!(value(&metrics, "duty_failures_total", "dead-letter-alarms") >= 5.0, "{metrics}");
    assert!(value(&metrics, "duty_last_success_timestamp_seconds", "dead-letter-alarms") < 1.0);
    for duty in ["stall-watch", "build-releases", "claim-sweep", "flow-gauges"] {
        assert!(value(&metrics, "duty_last_success_timestamp_seconds", duty) > 1e9, "{duty}: {metrics}");
    }
    let lines: Vec<_> =
        finalizer.log().into_iter().filter(|line| line.contains("dead-letter-alarms")).collect();
    assert_eq!(lines.len(), 1, "told once: {lines:#?}");

    // Meanwhile it merges and closes.
    rig.start(rig.extractor());
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    rig.whole_pull().await;

    let repair = "alter table alarm_watch alter letters drop default, alter letters type bigint using letters::bigint, alter letters set default 0";
    rig.db.batch_execute(repair).await.expect("repaired");
    eventually("the probe should be content again", || async {
        let answer = probe(address, "readyz").await;
        if answer.0 == StatusCode::OK { Ok(()) } else { Err(answer) }
    })
    .await;
    let log = finalizer.whole_log().await;
    assert!(log.iter().any(|line| line.contains("duty dead-letter-alarms works again")), "{log:#?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_is_elected_at_a_time_and_another_when_it_is_gone() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let store = || Store::new(&rig.database.url(), 2, "replica").expect("a store");
    let elected = async |store: &Store, task: &str| {
        store.if_elected(task, async { Ok::<_, Error>(()) }).await.expect("an election").is_some()
    };
    let (one, other) = (store(), store());
    let (at_it, begun) = tokio::sync::oneshot::channel();
    let working = tokio::spawn(async move {
        let work = async {
            at_it.send(()).expect("somebody waits");
            std::future::pending::<Result<(), Error>>().await
        };
        one.if_elected("watch", work).await
    });
    begun.await.expect("it is elected");
    assert!(!elected(&other, "watch").await, "somebody is at it");
    assert!(elected(&other, "sweep").await, "another task");
    working.abort();
    eventually("another should be elected when the first is gone", || async {
        if elected(&other, "watch").await { Ok(()) } else { Err("nobody") }
    })
    .await;
    assert!(elected(&other, "watch").await, "it ends with the work");
    rig.end(&[]).await;
}

/// Waits until the watch has looked at the pull so often, and found it quiet.
async fn looked_at(rig: &Rig, times: u32) {
    let mut last = None;
    for _ in 0..times {
        last = eventually("the watch should look at the pull", || async {
            let row = rig.db.query_one("select rescued_at from pull", &[]).await.expect("a pull");
            let at: Option<chrono::DateTime<chrono::Utc>> = row.get(0);
            if at > last { Ok(at) } else { Err(at) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_waits_for_a_stage_that_is_paused_or_has_its_messages_in_hand() {
    let setup = Setup { stalled_after: Duration::from_millis(300), ..Setup::default() };
    let mut rig = Rig::with(world(), setup).await;
    // Their announcements are lost, as far as can be seen from the queues.
    let chunks = extracted(&rig.store, &pages(rig.twitch.world(), 100)).await;
    let pull = chunks[0].pull_id;
    let worker = "insert into worker_state
        values ('game-enricher', 'a', '', '', 'paused', 'helix.auth', 'Twitch refuses the credentials', now(), 0, now())";
    rig.db.batch_execute(worker).await.expect("a worker that is paused");
    rig.start(rig.finalizer());
    let untouched = async || {
        looked_at(&rig, 6).await;
        let report = rig.store.pull_report(pull).await.expect("a report");
        assert_eq!((report.rescues, report.error.as_deref()), (0, None), "{report:#?}");
        assert_eq!(rig.ready("game-enricher").await, 0, "nothing is announced again");
    };
    untouched().await;
    let busy = "update worker_state set state = 'consuming', code = null, reason = null, in_hand = 3, seen_at = now()
                where stage = 'game-enricher'";
    rig.db.batch_execute(busy).await.expect("a worker that has them in hand");
    untouched().await;
    let retried = "update worker_state set in_hand = 0, seen_at = now() where stage = 'game-enricher';
        insert into stage_retry select 'game-enricher', 'm', id, 1, 1, 'helix.server_error', 'Twitch answered 503', now(),
               now(), now() + interval '5 min' from pull";
    rig.db.batch_execute(retried).await.expect("a message that waits to be tried again");
    untouched().await;

    rig.db.batch_execute("delete from stage_retry").await.expect("nothing is tried again");
    rig.waits("game-enricher", 3).await;
    eventually("the rescue should be counted", || async {
        let report = rig.store.pull_report(pull).await.expect("a report");
        if report.rescues > 0 { Ok(()) } else { Err(report) }
    })
    .await;
    rig.stop_all().await;
    purge(&rig.vhost, "game-enricher").await;
    rig.end(&[]).await;
}
