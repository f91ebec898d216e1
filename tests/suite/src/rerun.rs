//! A past pull once more, from its stored pages.

use std::time::Duration;

use fake_twitch::{Endpoint, World, WorldConfig};

use crate::{
    dead_letter_rig::{operator, operator_json},
    eventually::eventually,
    rig::{Rig, Setup},
    truth::assert_matches_world,
};

/// A pull that was made, and documents that were spoilt since.
async fn spoilt() -> (Rig, shared::schema::PullId) {
    let setup = Setup { stalled_after: Duration::from_secs(1), ..Setup::default() };
    let mut rig = Rig::with(World::generate(WorldConfig::plain(250)), setup).await;
    rig.start_all();
    let pull = rig.whole_pull().await.pull_id;
    rig.db.execute("update pull_data set data = '{}'", &[]).await.expect("spoilt");
    rig.twitch.reset_stats();
    (rig, pull)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_is_made_again_from_any_stage_without_asking_for_its_streams() {
    let (rig, pull) = spoilt().await;
    for (from, stage) in
        [("merge", "finalizer"), ("channels", "channel-enricher"), ("games", "game-enricher")]
    {
        rig.db.execute("update pull_data set data = '{}'", &[]).await.expect("spoilt");
        let answer = operator_json(&rig, &format!("rerun latest --from {from} --yes")).await;
        assert_eq!((&answer["from_stage"], &answer["chunks"]), (&stage.into(), &3.into()), "{answer}");
        assert_eq!((&answer["was_status"], &answer["was_build"]), (&"success".into(), &answer["build"]));
        let again = rig.succeeded(pull).await;
        assert!(again.completed_at.is_some());
        assert_matches_world(&rig.db, pull, rig.twitch.world(), 10).await;
    }
    let stats = rig.twitch.stats();
    let calls = [Endpoint::Streams, Endpoint::Games, Endpoint::Users].map(|endpoint| stats.calls(endpoint));
    assert_eq!(calls, [0, 0, 0], "everything is known");
    let kept = "select count(*) from pull_rerun where by = 'operator' and was_build is not null";
    assert_eq!(rig.db.query_one(kept, &[]).await.expect("a count").get::<_, i64>(0), 3);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rerun_nobody_was_told_of_is_picked_up() {
    let (rig, pull) = spoilt().await;
    let from = shared::store::RerunFrom::Games;
    rig.store.rerun(pull, from, "somebody who died", rig.setup.clock.now()).await.expect("put back");
    eventually("the pull should be rescued and succeed again", || async {
        let report = rig.store.pull_report(pull).await.expect("a report");
        if report.status == "success" && report.rescues >= 1 { Ok(()) } else { Err(report) }
    })
    .await;
    assert_matches_world(&rig.db, pull, rig.twitch.world(), 10).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_made_again_is_refused_and_stays_as_it_is() {
    let (mut rig, pull) = spoilt().await;
    rig.stop_all().await;
    let under_way = rig.store.request_pull("test", rig.setup.clock.now()).await.expect("a pull");
    for (words, why) in [
        (format!("rerun {under_way} --yes"), "under way (pending)"),
        ("rerun 99 --yes".to_owned(), "there is no pull 99"),
        (format!("rerun {pull}"), "Not a terminal: pass --yes to confirm. Nothing was changed"),
    ] {
        let (code, _, err) = operator(&rig, &words).await;
        assert!(code != 0 && err.contains(why), "{words}: {code} {err}");
    }
    let unfetched = "update pull set status = 'failed', error = 'test', completed_at = now() where id = $1";
    rig.db.execute(unfetched, &[&under_way.0]).await.expect("failed");
    let (code, _, err) = operator(&rig, &format!("rerun {under_way} --yes")).await;
    assert!(code == 1 && err.contains("were not all fetched"), "{err}");
    rig.db.execute("delete from pull_chunk where chunk = 2", &[]).await.expect("dropped");
    let (code, _, err) = operator(&rig, &format!("rerun {pull} --yes")).await;
    assert!(code == 1 && err.contains("had 3 pages, of which 2 are still there"), "{err}");
    assert_eq!(rig.store.pull_report(pull).await.expect("a report").status, "success");
    rig.end(&[]).await;
}
