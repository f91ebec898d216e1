//! Lists of some languages each, fetched side by side: together they are the one list of all.

use std::time::Duration;

use extractor::Limits;
use fake_twitch::{Latency, Settings as TwitchSettings, World, WorldConfig};
use shared::store::PullReport;

use crate::{
    rig::{Rig, Setup},
    truth::assert_matches_world,
};

/// Streams of the world: 20 pages with an audience, and as many without.
const STREAMS: usize = 4_000;

/// A setup that fetches these languages side by side, and all others beside them.
fn side_by_side(languages: &[&str]) -> Setup {
    let side_by_side = languages.iter().map(|&language| language.to_owned()).collect();
    Setup { limits: Limits { side_by_side, ..Setup::default().limits }, ..Setup::default() }
}

fn world() -> World {
    World::generate(WorldConfig { tail: STREAMS / 2, test_record: false, ..WorldConfig::sized(STREAMS / 2) })
}

/// Shows that a pull has every stream once, in at most two pages more for each list than one list takes: the last of a list
/// is not full, and the one that ends below the least viewers is read.
async fn assert_whole(rig: &Rig, report: &PullReport, lists: i32) {
    assert_eq!(report.stop_reason.as_deref(), Some("min_viewers"));
    assert_eq!((report.fetched, report.duplicates), (report.stored + report.rejected, 0));
    assert!(report.pages <= report.stored / 100 + 2 * lists, "{} pages", report.pages);
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_side_by_side_hold_what_one_list_of_all_holds() {
    let mut rig = Rig::with(world(), side_by_side(&["en", "es", "ru"])).await;
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_whole(&rig, &report, 5).await;
    rig.mop_up().await;
    let rejecting = "select count(*) from pull_chunk where rejected > 0";
    let rejecting: i64 = rig.db.query_one(rejecting, &[]).await.expect("a count").get(0);
    rig.end(&[("streams.rejected", rejecting.try_into().expect("a few"))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_side_by_side_go_on_where_another_extractor_left_them() {
    // Twitch takes its time: there is a middle to die in.
    let setup = side_by_side(&["en", "es"]);
    let twitch = TwitchSettings { latency: Latency::of(Duration::from_millis(30)), ..setup.twitch };
    let mut rig = Rig::with(world(), Setup { twitch, ..setup }).await;
    let first = rig.run(rig.extractor());
    let pull = rig.pull().await;
    rig.reached(pull, "stored", 3).await;
    first.kill();
    // Whoever goes on was told nothing of languages: a pull ends as it was begun.
    rig.setup.limits.side_by_side.clear();
    rig.let_leases_run_out().await;
    rig.start_all();
    let report = rig.succeeded(pull).await;
    assert_whole(&rig, &report, 4).await;
    rig.mop_up().await;
    let rejecting = "select count(*) from pull_chunk where rejected > 0";
    let rejecting: i64 = rig.db.query_one(rejecting, &[]).await.expect("a count").get(0);
    rig.end(&[("streams.rejected", rejecting.try_into().expect("a few"))]).await;
}
