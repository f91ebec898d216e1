//! Plain paging: everything once, in order, with an end.

use super::visitor::{Got, Visitor, all_ids, distinct};
use crate::WorldConfig;

#[tokio::test]
async fn paging_reaches_every_stream_exactly_once() {
    for (streams, first) in [(1, 100), (99, 100), (100, 100), (101, 100), (250, 7), (1_000, 100)] {
        let visitor = Visitor::to(WorldConfig::plain(streams)).await;
        let pages = visitor.pages(&format!("first={first}"), 1_000).await;
        let ids = all_ids(&pages);
        assert_eq!(ids.len(), streams);
        assert_eq!(distinct(&ids), visitor.truth());
        assert_eq!(pages.len(), streams.div_ceil(first), "{streams} by {first}");
        assert_eq!(pages.last().unwrap().json()["pagination"], serde_json::json!({}));
    }
}

#[tokio::test]
async fn the_default_world_has_short_pages_and_loses_nothing() {
    let config = WorldConfig { short_pages: 0.3, ..WorldConfig::sized(3_000) };
    let visitor = Visitor::to(config).await;
    let pages = visitor.pages("first=100", 1_000).await;
    let ids = all_ids(&pages);
    assert_eq!((ids.len(), distinct(&ids)), (3_301, visitor.truth()));
    let (_, before_last) = pages.split_last().unwrap();
    let short = before_last.iter().map(|page| page.ids().len()).filter(|&len| len < 100);
    assert!(short.clone().count() > 3);
    assert!(short.clone().all(|len| (95..100).contains(&len)));
}

#[tokio::test]
async fn records_are_told_as_they_are_and_in_order() {
    let visitor = Visitor::to(WorldConfig { short_pages: 0.0, ..WorldConfig::sized(180) }).await;
    let pages = visitor.pages("first=100", 10).await;
    let told: Vec<_> =
        pages.iter().flat_map(|page| page.json()["data"].as_array().unwrap().clone()).collect();
    let truth: Vec<_> = visitor.world().streams().iter().map(|stream| serde_json::json!(stream)).collect();
    assert_eq!(told, truth);
    let viewers = |item: &serde_json::Value| item["viewer_count"].as_u64();
    assert!(told.is_sorted_by(|a, b| viewers(a) >= viewers(b)));
}

#[tokio::test]
async fn one_can_page_back() {
    let visitor = Visitor::to(WorldConfig::plain(60)).await;
    let pages = visitor.pages("first=20", 10).await;
    let back = visitor.get(&format!("streams?first=20&before={}", pages[1].cursor().unwrap())).await;
    assert_eq!(back.ids(), pages[0].ids());
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused() {
    let visitor = Visitor::to(WorldConfig::plain(150)).await;
    let cursor = visitor.get("streams?first=100").await.cursor().unwrap();
    let cases = [
        ("first=101".to_owned(), "less than or equal to 100"),
        ("first=0".to_owned(), "greater than or equal to 1"),
        ("first=x".to_owned(), "a number"),
        ("after=nonsense".to_owned(), "Invalid cursor"),
        (format!("after={}", &cursor[..cursor.len() / 2]), "Invalid cursor"),
        (format!("after={cursor}&before={cursor}"), "exclude each other"),
        ("type=vodcast".to_owned(), "type"),
        ("user_login=nobody_has_this".to_owned(), "Malformed query params"),
    ];
    for (query, why) in cases {
        let Got { status, .. } = visitor.get(&format!("streams?{query}")).await;
        let got = visitor.get(&format!("streams?{query}")).await.json();
        assert_eq!(
            (status, got["error"].as_str(), got["status"].as_u64()),
            (400, Some("Bad Request"), Some(400))
        );
        assert!(got["message"].as_str().unwrap().contains(why), "{query}: {got}");
    }
    assert_eq!(visitor.get("streams").await.ids().len(), 20);
}
