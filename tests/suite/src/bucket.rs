//! One small bucket of points for two replicas of everything: they share it, and nothing is spent on its being empty.

use fake_twitch::{Settings as TwitchSettings, World, WorldConfig};

use crate::{
    rig::{Rig, Setup},
    truth::assert_matches_world,
};

/// Points of the bucket, and those that flow back each minute.
const POINTS: u32 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_a_bucket_that_is_smaller_than_the_pull() {
    let setup = Setup::default();
    let twitch = TwitchSettings { limit: POINTS, refill: POINTS, ..setup.twitch };
    // The one retry is an hour away: whoever spends an attempt on an empty bucket does not come to an end.
    let delays = "1h".parse().expect("delays");
    let world = World::generate(WorldConfig { games: Some(50), ..WorldConfig::plain(2_200) });
    let mut rig = Rig::with(world, Setup { delays, twitch, ..setup }).await;
    rig.start_all();
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_eq!(assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await, 2_200);
    let stats = rig.twitch.stats();
    assert!(stats.points > u64::from(POINTS), "the bucket was too large for this test: {stats:#?}");
    assert_eq!(stats.bucket_empty, 0, "they should slow down before the bucket is empty: {stats:#?}");
    rig.end(&[]).await;
}
