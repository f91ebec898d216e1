//! Pulls that stand still: what was lost is announced again, and what cannot go on is failed with its cause.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use fake_twitch::{World, WorldConfig};
use shared::{
    runtime::{Announcer, Troubles, Worker, perform},
    schema::{PullId, PullRequested, PullStatus},
    store::{Kind, PullReport},
    topology::EXTRACTOR,
};
use tokio_util::sync::CancellationToken;

use crate::{
    builders::{extracted, filled, now, pages},
    dead_letter_rig::operator,
    eventually::eventually,
    proxy::Proxy,
    rig::{Rig, Setup},
    truth::assert_matches_world,
    wire::{Listener, purge},
};

const STAGES: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];

fn world() -> World {
    World::generate(WorldConfig::plain(250))
}

/// Pulls are picked up soon, and not too soon for a machine that has other things to do.
async fn watched() -> Rig {
    Rig::with(world(), Setup { stalled_after: Duration::from_secs(1), ..Setup::default() }).await
}

/// The pull, once it has come to a good end and its rescue is counted, which may be a moment later.
async fn rescued(rig: &Rig, pull: PullId) -> PullReport {
    success(rig, pull).await;
    eventually(&format!("the rescue of pull {pull} should be counted"), || async {
        let report = rig.store.pull_report(pull).await.expect("a report");
        if report.rescues > 0 { Ok(report) } else { Err(report) }
    })
    .await
}

/// The pull, once it has come to a good end, also where it was given up on the way.
async fn success(rig: &Rig, pull: PullId) -> PullReport {
    eventually(&format!("pull {pull} should succeed"), || async {
        let report = rig.store.pull_report(pull).await.expect("a report");
        if report.status == "success" { Ok(report) } else { Err(report) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_nobody_was_told_of_is_picked_up() {
    let mut rig = watched().await;
    rig.start_all();
    let pull = rig.store.request_pull("somebody who died", now()).await.expect("a pull");
    rescued(&rig, pull).await;
    assert_matches_world(&rig.db, pull, rig.twitch.world(), 10).await;
    rig.end_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_lost_before_any_stage_are_announced_again() {
    let rig = watched().await;
    for lost in 1..4 {
        let pull = rig.pull().await;
        for (stage, next) in STAGES[..lost].iter().zip(&STAGES[1..]) {
            let worker = rig.run_stage(stage);
            rig.waits(next, 3).await;
            worker.stop().await;
        }
        purge(&rig.vhost, STAGES[lost]).await;
        let running = STAGES.map(|stage| rig.run_stage(stage));
        rescued(&rig, pull).await;
        assert_matches_world(&rig.db, pull, rig.twitch.world(), 10).await;
        for worker in running {
            worker.stop().await;
        }
        rig.mop_up().await;
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_whose_finalizer_died_before_it_closed_it_is_closed() {
    let mut rig = watched().await;
    let listener = Listener::new(&rig).await;
    let chunks = filled(&rig.store, &pages(rig.twitch.world(), 100)).await;
    for chunk in &chunks {
        rig.store.merge(&[*chunk], now()).await.expect("merged");
    }
    rig.start(rig.finalizer());
    success(&rig, chunks[0].pull_id).await;
    listener.hears(chunks[0].pull_id, PullStatus::Success).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_whose_finalizer_died_before_it_told_anybody_is_told() {
    let mut rig = watched().await;
    let listener = Listener::new(&rig).await;
    let chunks = filled(&rig.store, &pages(rig.twitch.world(), 100)).await;
    for chunk in &chunks {
        rig.store.merge(&[*chunk], now()).await.expect("merged");
    }
    assert!(rig.store.close(chunks[0].pull_id, 0.5, now()).await.expect("closed"));
    rig.start(rig.finalizer());
    let event = listener.hears(chunks[0].pull_id, PullStatus::Success).await;
    assert_eq!((event.stored, event.channels_missing), (250, 250), "nobody asked Twitch for a channel");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_whose_messages_wait_for_a_worker_waits_and_one_whose_messages_are_lost_each_time_is_failed() {
    let mut rig =
        Rig::with(world(), Setup { stalled_after: Duration::from_millis(200), ..Setup::default() }).await;
    let listener = Listener::new(&rig).await;
    let before = ["extractor", "game-enricher"].map(|stage| rig.run_stage(stage));
    let waiting = rig.pull().await;
    rig.waits("channel-enricher", 3).await;
    for worker in before {
        worker.stop().await;
    }
    rig.start(rig.finalizer());
    let lost = rig.store.request_pull("test", now()).await.expect("a pull");
    eventually("what is lost each time should be given up", || async {
        purge(&rig.vhost, "extractor").await;
        let report = rig.store.pull_report(lost).await.expect("a report");
        if report.status == "failed" { Ok(()) } else { Err(report) }
    })
    .await;
    let report = rig.store.pull_report(lost).await.expect("a report");
    let told = listener.hears(lost, PullStatus::Failed).await;
    assert_eq!(told.error, report.error);
    let cause = "pages are to be fetched (extractor: 0 messages, 0 consumers, 0 dead letters)";
    assert!(told.error.as_ref().is_some_and(|error| error.contains(cause)), "{:?}", told.error);

    let report = rig.store.pull_report(waiting).await.expect("a report");
    assert_eq!((report.status.as_str(), report.error), ("filling-channels", None));
    assert_eq!(rig.ready("channel-enricher").await, 3, "what waits in a queue is not announced again");
    let (code, out, _) = operator(&rig, "status").await;
    assert!(code != 0 && out.contains("no channel-enricher is running"), "{out}");

    rig.start(rig.extractor());
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    rig.announcer.announce(vec![EXTRACTOR.request(&PullRequested { pull_id: lost })]).await.expect("told");
    for pull in [waiting, lost] {
        success(&rig, pull).await;
        let told = listener.hears(pull, PullStatus::Success).await;
        assert_eq!((told.stored, told.error), (250, None));
        assert_matches_world(&rig.db, pull, rig.twitch.world(), 10).await;
    }
    rig.end_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_is_given_up_for_standing_still_at_a_stretch_and_not_for_the_sum_of_its_rests() {
    let rig = Rig::new(world()).await;
    let begun = now();
    let chunks = extracted(&rig.store, &pages(rig.twitch.world(), 100)).await;
    let after = Duration::from_mins(2);
    let stalled = async |minutes: i64| {
        let now = begun + TimeDelta::minutes(minutes);
        let stalled = rig.store.stalled(after, now).await.expect("an answer");
        let pull = stalled.first()?;
        rig.store.rescued(pull.pull_id).await.expect("counted");
        Some(pull.rescues)
    };
    assert_eq!(stalled(1).await, None, "nothing is wrong yet");
    assert_eq!(stalled(3).await, Some(1));
    assert_eq!(stalled(4).await, None, "it was picked up a moment ago");
    assert_eq!(stalled(6).await, Some(2));
    assert_eq!(stalled(9).await, Some(3));
    rig.store.filled(Kind::Game, &chunks[..1], 0, begun + TimeDelta::minutes(10)).await.expect("it moves");
    assert_eq!(stalled(11).await, None);
    assert_eq!(stalled(13).await, Some(1), "what moved since stands still anew");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_dies_before_it_announces_spends_no_rescue() {
    let rig = Rig::new(world()).await;
    let begun = now();
    let chunks = extracted(&rig.store, &pages(rig.twitch.world(), 100)).await;
    let stalled = async |minutes: i64| {
        let now = begun + TimeDelta::minutes(minutes);
        let stalled = rig.store.stalled(Duration::from_mins(2), now).await.expect("an answer");
        stalled.first().map(|pull| pull.rescues)
    };
    for minutes in [3, 6, 9, 12, 15] {
        assert_eq!(stalled(minutes).await, Some(1), "nothing was announced yet");
    }
    rig.store.rescued(chunks[0].pull_id).await.expect("counted");
    assert_eq!(stalled(18).await, Some(2));
    rig.store.rescued(chunks[0].pull_id).await.expect("counted");
    // It moves, and whoever finds it quiet after that dies, too: that it had moved is not forgotten.
    rig.store.filled(Kind::Game, &chunks[..1], 0, begun + TimeDelta::minutes(19)).await.expect("it moves");
    for minutes in [22, 25] {
        assert_eq!(stalled(minutes).await, Some(1), "what moved since stands still anew");
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_watches_one_takes_a_stalled_pull() {
    let rig = Rig::new(world()).await;
    extracted(&rig.store, &pages(rig.twitch.world(), 100)).await;
    let (after, begun) = (Duration::from_mins(2), now());
    for round in 1..=20 {
        let now = begun + TimeDelta::minutes(3 * round);
        let looks = (0..4).map(|_| {
            let store = rig.store.clone();
            tokio::spawn(async move { store.stalled(after, now).await.expect("an answer").len() })
        });
        let taken: usize =
            futures::future::join_all(looks).await.into_iter().map(|n| n.expect("a look")).sum();
        assert_eq!(taken, 1, "round {round}");
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rescue_is_spent_while_the_broker_cannot_be_asked() {
    let rig =
        Rig::with(world(), Setup { stalled_after: Duration::from_millis(100), ..Setup::default() }).await;
    let pull = rig.store.request_pull("test", now()).await.expect("a pull");
    let line = Proxy::to(&rig.amqp_url).await;
    let connected = Announcer::connect(&line.url(&rig.amqp_url), &rig.setup.delays, "test").await;
    let (announcer, connection) = connected.expect("the broker should answer");
    line.close();
    let stop = CancellationToken::new();
    let duties = Arc::new(rig.finalizer()).duties(announcer);
    let watch = duties.into_iter().filter(|duty| duty.name() == "stall-watch").collect();
    let (troubles, clock) = (Troubles::default(), rig.setup.clock.clone());
    let watching = tokio::spawn(perform(watch, troubles.clone(), clock, stop.clone()));
    // The looks go on although nobody can be asked, and the probe tells of it.
    eventually("the watch should look again and again", || {
        std::future::ready(troubles.describe().filter(|told| told.contains("stall-watch")).ok_or("no word"))
    })
    .await;
    stop.cancel();
    watching.await.expect("it should end well");
    assert_eq!(rig.store.pull_report(pull).await.expect("a report").rescues, 0);
    drop(connection);
    rig.end(&[]).await;
}
