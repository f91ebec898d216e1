//! Answers of Twitch that are not as documented, and still hold what is needed: it is kept, and only the oddity is left out.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fake_twitch::{Effect, Endpoint, Fault, When, World, WorldConfig};
use serde_json::{Value, json};
use shared::{clock::Clock, schema::PullId};

use crate::rig::{Rig, Setup};

/// A field of every item is something else.
fn field(name: &str, value: Option<Value>) -> Effect {
    Effect::Field { name: name.to_owned(), value, item: None }
}

fn odd(rig: &Rig, endpoint: Endpoint, name: &str, value: Option<Value>) {
    rig.twitch.faults(|faults| faults.push(Fault::new(field(name, value)).on(endpoint).when(When::Always)));
}

/// Setup with a clock that the test moves.
fn by_hand() -> Setup {
    let noon = "2026-11-23T12:00:00Z".parse::<DateTime<Utc>>().expect("a time");
    Setup { clock: Clock::manual(noon), ..Setup::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decoration_of_another_type_costs_neither_game_nor_channel() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
    odd(&rig, Endpoint::Games, "igdb_id", Some(json!(77)));
    odd(&rig, Endpoint::Games, "box_art_url", Some(json!(7)));
    odd(&rig, Endpoint::Users, "offline_image_url", Some(json!(5)));
    odd(&rig, Endpoint::Users, "display_name", Some(Value::Null));
    odd(&rig, Endpoint::Users, "created_at", Some(json!("")));
    odd(&rig, Endpoint::Users, "description", None);
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_eq!((report.games_missing, report.channels_missing), (Some(0), Some(0)));
    assert_eq!(report.channels_filled, Some(250));

    let odd = "select count(*) from pull_data
               where data->'game'->>'igdb_id' = '' and data->'game'->>'box_art_url' = ''
                 and data->'channel'->>'display_name' = data->'channel'->>'login'
                 and data->'channel'->>'offline_image_url' = '' and data->'channel'->>'description' = ''
                 and data->'channel'->'created_at' = 'null' and data->'channel'->>'profile_image_url' <> ''";
    assert_eq!(rig.db.query_one(odd, &[]).await.expect("a count").get::<_, i64>(0), 250);
    let legacy = "select count(*) from legacy_pull_data, json_array_elements(data->'streams') stream
                  where stream->'channel'->>'created_at' is null and stream->'channel'->>'name' is not null";
    assert_eq!(rig.db.query_one(legacy, &[]).await.expect("a count").get::<_, i64>(0), 250);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_without_a_name_is_kept_for_review_as_malformed() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(100))).await;
    odd(&rig, Endpoint::Games, "name", Some(json!(7)));
    rig.start_all();
    let report = rig.whole_pull().await;
    let sql = "select count(*) filter (where reason = 'malformed'), count(*) from missing_game";
    let row = rig.db.query_one(sql, &[]).await.expect("counts");
    let (malformed, all): (i64, i64) = (row.get(0), row.get(1));
    assert!(malformed > 0 && malformed == all, "{malformed} of {all}");
    assert_eq!(report.games_missing.map(i64::from), Some(all));
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_untold_life_serves_a_whole_pull() {
    for life in [None, Some(Value::Null), Some(json!(0)), Some(json!("5000000")), Some(json!(1_u64 << 33))] {
        let mut rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
        odd(&rig, Endpoint::Token, "expires_in", life.clone());
        rig.start_all();
        rig.whole_pull().await;
        assert_eq!(rig.twitch.stats().calls(Endpoint::Token), 1, "{life:?}");
        rig.end(&[]).await;
    }
}

async fn names_of_games(rig: &Rig) -> Vec<String> {
    let sql = "select distinct name from twitch_game";
    rig.db.query(sql, &[]).await.expect("names").iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_category_gets_its_new_name_when_the_old_one_is_stale() {
    let setup = Setup { game_max_age: Duration::from_hours(24), ..by_hand() };
    let mut rig = Rig::with(World::generate(WorldConfig::plain(120)), setup).await;
    rig.start_all();
    rig.whole_pull().await;
    odd(&rig, Endpoint::Games, "name", Some(json!("Renamed")));
    rig.setup.clock.advance(TimeDelta::hours(23));
    rig.twitch.reset_stats();
    rig.whole_pull().await;
    assert_eq!(rig.twitch.stats().calls(Endpoint::Games), 0, "fresh");

    rig.setup.clock.advance(TimeDelta::hours(2));
    let report = rig.whole_pull().await;
    assert_eq!(rig.twitch.stats().calls(Endpoint::Games), 1);
    assert_eq!(names_of_games(&rig).await, ["Renamed"]);
    assert_eq!(report.games_added, Some(0), "renamed, not learned");
    rig.end(&[]).await;
}

async fn without_names(rig: &Rig, pull: PullId) -> i64 {
    let sql = "select count(*) from pull_stream where pull_id = $1 and '' in (channel_name, channel_login)";
    rig.db.query_one(sql, &[&pull.0]).await.expect("a count").get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_twitch_left_empty_is_the_channels() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    odd(&rig, Endpoint::Streams, "user_name", Some(json!("")));
    odd(&rig, Endpoint::Streams, "user_login", Some(json!("")));
    rig.start(rig.extractor());
    let pull = rig.pull().await;
    rig.waits("game-enricher", 2).await;
    assert_eq!(without_names(&rig, pull).await, 120, "before the merge");
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    rig.start(rig.finalizer());
    rig.succeeded(pull).await;
    let sql = "select count(*) from pull_data d join twitch_channel c using (channel_id)
               where d.channel_name = c.display_name and d.channel_login = c.login";
    assert_eq!(rig.db.query_one(sql, &[]).await.expect("a count").get::<_, i64>(0), 120);
    rig.end(&[]).await;
}
