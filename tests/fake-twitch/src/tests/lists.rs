//! Filters, games and users: who is told, who is left out, what spoils a batch.

use super::visitor::{Visitor, all_ids};
use crate::{Endpoint, WorldConfig};

fn ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    ids.into_iter().map(|id| format!("id={id}")).collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn streams_are_filtered_by_lists_that_all_must_hold() {
    let visitor = Visitor::to(WorldConfig::plain(400)).await;
    let world = visitor.world();
    let game = &world.games()[0].id;
    let told =
        all_ids(&visitor.pages(&format!("game_id={game}&language=en&language=de&first=10"), 100).await);
    let both = world.streams().iter().filter(|s| s.game_id == *game && matches!(s.language, "en" | "de"));
    assert_eq!(told, both.map(|stream| stream.id.clone()).collect::<Vec<_>>());
    assert!(told.len() > 10, "enough for a second page");
    let third = &world.streams()[3];
    assert_eq!(
        visitor.get(&format!("streams?user_id={}&user_id=1", third.user_id)).await.ids(),
        [&*third.id]
    );
    assert_eq!(visitor.get(&format!("streams?user_login={}", third.user_login)).await.ids(), [&*third.id]);
}

#[tokio::test]
async fn games_unknown_or_asked_twice_are_left_out() {
    let visitor = Visitor::to(WorldConfig::sized(300)).await;
    let world = visitor.world();
    let unknown = world.unknown_games().into_iter().next().unwrap().to_owned();
    let known: Vec<&str> = world.games().iter().take(3).map(|game| game.id.as_str()).collect();
    let asked = ids(known.iter().copied().chain([known[0], unknown.as_str(), "no-number"]));
    assert_eq!(visitor.get(&format!("games?{asked}")).await.ids(), known);
    assert_eq!(visitor.get("games?name=Just%20Chatting").await.ids(), ["509658"]);
    assert_eq!(visitor.get(&format!("games?id={unknown}")).await.json(), serde_json::json!({ "data": [] }));
    for bad in ["", "?id=", &format!("?{}", ids(vec!["1"; 101]))] {
        assert_eq!(visitor.get(&format!("games{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn top_games_come_by_audience_and_in_pages() {
    let visitor = Visitor::to(WorldConfig { games: Some(70), ..WorldConfig::plain(600) }).await;
    let first = visitor.get("games/top?first=50").await;
    let second = visitor.get(&format!("games/top?first=50&after={}", first.cursor().unwrap())).await;
    assert_eq!((first.ids().len(), second.ids().len(), second.cursor()), (50, 20, None));
    assert_eq!(visitor.get("games/top?after=nonsense").await.status, 400);
}

#[tokio::test]
async fn banned_users_are_left_out_and_others_told_in_full() {
    let visitor = Visitor::to(WorldConfig { banned: 0.1, ..WorldConfig::sized(100) }).await;
    let world = visitor.world();
    let asked: Vec<&str> = world
        .streams()
        .iter()
        .filter(|s| !s.is_test_record())
        .take(100)
        .map(|s| s.user_id.as_str())
        .collect();
    let got = visitor.get(&format!("users?{}", ids(asked.iter().copied()))).await;
    let told: Vec<&str> = asked.iter().copied().filter(|id| world.user(id).is_some()).collect();
    assert_eq!(got.ids(), told);
    assert!(told.len() < 100);
    assert_eq!(got.json()["data"][0], serde_json::json!(world.user(told[0]).unwrap()));
}

#[tokio::test]
async fn one_malformed_id_spoils_the_whole_batch() {
    let visitor = Visitor::to(WorldConfig::sized(50)).await;
    let sound = visitor.world().streams()[0].user_id.clone();
    for bad in ["testDocumentId2", "", "12%2034", "-5", "%D9%A1%D9%A2"] {
        let got = visitor.get(&format!("users?id={sound}&id={bad}")).await;
        assert_eq!((got.status, got.json()["error"].as_str()), (400, Some("Bad Request")), "{bad}");
    }
    assert_eq!(visitor.get("users").await.status, 400);
    assert_eq!(visitor.get(&format!("users?{}", ids(vec![&*sound; 101]))).await.status, 400);
    assert_eq!(
        visitor.get(&format!("users?login={}", visitor.world().streams()[0].user_login)).await.ids(),
        [sound]
    );
    let asked = visitor.twitch.stats().asked(Endpoint::Users);
    assert_eq!((asked.distinct, asked.repeated, asked.most), (6, 1, 106));
}
