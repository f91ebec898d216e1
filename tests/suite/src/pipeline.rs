//! The main job: a pull, and every stored row is right.

use fake_twitch::{Endpoint, World, WorldConfig};

use crate::{rig::Rig, truth::assert_matches_world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_stores_every_stream_with_its_game_and_channel() {
    let mut rig = Rig::new(World::generate(WorldConfig::sized(1_000))).await;
    rig.start_all();
    let report = rig.whole_pull().await;

    let world = rig.twitch.world();
    let stored = assert_matches_world(&rig.db, report.pull_id, world, 10).await;
    assert_eq!(stored, 1_000);
    assert_eq!(report.stored, 1_000);
    assert_eq!(report.fetched, report.stored + report.rejected + report.duplicates);
    assert_eq!(report.stop_reason.as_deref(), Some("min_viewers"));
    assert_eq!(report.channels_missing, i32::try_from(world.banned().count()).ok());
    assert_eq!(report.games_missing, i32::try_from(world.unknown_games().len()).ok());
    let stats = rig.twitch.stats();
    let calls: u64 =
        [Endpoint::Streams, Endpoint::Games, Endpoint::Users].map(|at| stats.calls(at)).iter().sum();
    assert_eq!(u64::try_from(report.helix_calls).ok(), Some(calls), "every call is on the pull's account");
    rig.end(&[("streams.rejected", 2)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_pull_asks_for_nothing_it_knows() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(500))).await;
    rig.start_all();
    rig.whole_pull().await;
    rig.twitch.reset_stats();
    let report = rig.whole_pull().await;
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    assert_eq!(rig.twitch.stats().calls(Endpoint::Games), 0);
    assert_eq!(rig.twitch.stats().calls(Endpoint::Users), 0);
    assert_eq!(rig.twitch.stats().calls(Endpoint::Token), 0, "the token is kept");
    rig.end(&[]).await;
}
