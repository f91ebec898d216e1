//! A database that goes silent, as one does whose host vanishes or whose process is stopped: nothing is refused, no connection
//! ends, and no answer comes.

use std::time::Duration;

use fake_twitch::{Latency, Settings as TwitchSettings, World, WorldConfig};
use shared::{
    failure::{Class, Failure},
    store::Store,
};

use crate::{
    eventually::eventually,
    proxy::Proxy,
    rig::{Rig, Setup},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_go_on_with_the_next_server_when_theirs_goes_silent() {
    let world = World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(600) });
    let setup = Setup::default();
    let twitch = TwitchSettings { latency: Latency::of(Duration::from_millis(30)), ..setup.twitch };
    // A message that was charged with an attempt would come back in an hour.
    let mut rig = Rig::with(world, Setup { delays: "1h".parse().expect("delays"), twitch, ..setup }).await;
    let (first, second) = (Proxy::to(&rig.database.url()).await, Proxy::to(&rig.database.url()).await);
    rig.database_at = Some(format!("{},{}", first.place(), second.place()));
    rig.start_all();
    let pull = rig.pull().await;
    rig.reached(pull, "stored", 2).await;
    // Also what was stored a moment ago, and whoever stored it never heard of.
    first.swallow();
    rig.stored_world(pull).await;
    rig.end_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_database_is_named_and_used_again_when_it_answers() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let line = Proxy::to(&rig.database.url()).await;
    rig.database_at = Some(line.place());
    let store = Store::new(&rig.database_url_of("extractor").into(), 2, "test").expect("a store");
    store.check().await.expect("an answer");
    line.swallow();
    let told = eventually("the silence should be told", || async {
        store.check().await.map_or_else(|error| Ok(Failure::from(error)), |()| Err("it answers"))
    })
    .await;
    assert_eq!(told.class, Class::Outage, "{told}");
    let why = told.to_string();
    assert!(why.contains("does not answer") || why.contains("no answer within 2s"), "{why}");
    line.carry();
    store.check().await.expect("an answer again");
    rig.end(&[]).await;
}
