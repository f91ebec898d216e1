//! Records told wrongly: each defect is what its name says, and the truth knows where.

use serde_json::Value;

use super::visitor::{Visitor, all_ids};
use crate::{Defect, Happening, WorldConfig};

#[test]
fn each_defect_is_what_its_name_says() {
    let world = crate::World::generate(WorldConfig::plain(50));
    let stream = &world.streams()[20];
    for defect in Defect::ALL.into_iter().chain([Defect::NewField, Defect::NullLogin]) {
        let text = defect.tell(stream);
        let item: Value = serde_json::from_str(&text).unwrap_or_default();
        let as_named = match defect {
            Defect::NonNumericId => item["id"] == "stream-1",
            Defect::MissingId => item["user_id"].is_string() && item.get("id").is_none(),
            Defect::EmptyId => item["id"] == "",
            Defect::NumericUserId => item["user_id"].is_u64(),
            Defect::MissingUserId => item["id"].is_string() && item.get("user_id").is_none(),
            Defect::NonNumericGameId => item["game_id"] == "just-chatting",
            Defect::TextViewerCount => item["viewer_count"] == *stream.viewer_count.to_string(),
            Defect::NegativeViewerCount => item["viewer_count"] == -1,
            Defect::HugeViewerCount => item["viewer_count"].as_f64() == Some(1e20),
            Defect::TitleNotText => item["title"].is_object(),
            Defect::NulInTitle => item["title"].as_str().is_some_and(|title| title.starts_with('\0')),
            Defect::LoneSurrogate => item.is_null() && text.contains(r#""title":"\ud83d"#),
            Defect::NumberAmongTags => item["tags"][1] == 18,
            Defect::BadStartedAt => item["started_at"] == "2026-02-30T25:61:00Z",
            Defect::DuplicateKey => text.matches(r#""viewer_count":"#).count() == 2,
            Defect::NotAnObject => item.is_string(),
            Defect::NewField => item["mood"] == "fine",
            Defect::NullLogin => item.get("user_login") == Some(&Value::Null),
        };
        assert!(as_named, "{defect:?}: {text}");
    }
}

#[tokio::test]
async fn defective_records_are_told_where_the_truth_says() {
    let visitor = Visitor::during("defective-records", 1_000).await;
    let injected = visitor.world().injected();
    assert_eq!(injected.len(), 32);
    for defect in Defect::ALL {
        assert_eq!(injected.iter().filter(|place| place.defect == defect).count(), 2);
    }
    assert_eq!(visitor.world().sound_streams(10).count(), 968);
    let pages = visitor.pages("first=100", 20).await;
    for place in &injected {
        let body = pages[place.number / 100].body.as_ref().unwrap();
        let wrong = place.defect.tell(&visitor.world().streams()[place.number]);
        assert!(String::from_utf8_lossy(body).contains(&wrong), "{place:?}");
        assert!(!visitor.world().journal.ids(Happening::Broken(place.defect)).is_empty());
    }
    visitor.world().heal();
    assert_eq!(all_ids(&visitor.pages("first=100", 20).await).len(), 1_000);
}
