use serde_json::json;

use super::*;

fn scrubber() -> Scrubber {
    Scrubber::new("123456789", ["Some_Body".into(), "加藤純一".into()], true).unwrap()
}

#[test]
fn a_mention_is_a_whole_word_in_any_case() {
    let cases = [
        ("with SOME_BODY!", Some("with erased!")),
        ("some_bodyguard, xsome_body", None),
        ("今日は加藤純一です some_body", Some("今日はerasedです erased")),
        (
            "Twitch rejected /users?id=123456789&id=1234567890",
            Some("Twitch rejected /users?id=erased&id=1234567890"),
        ),
        ("https://x/live_user_some_body-{width}x{height}.jpg", Some("https://x/erased-{width}x{height}.jpg")),
        ("https://x/live_user_some_bodyguard-{width}x{height}.jpg", None),
        (
            "see /search?q=%E5%8A%A0%e8%97%a4%E7%B4%94%E4%B8%80 and \"\\u52a0\\u85E4\\u7d14\\u4e00\"",
            Some("see /search?q=erased and \"erased\""),
        ),
        ("nothing", None),
    ];
    for (text, scrubbed) in cases {
        assert_eq!(scrubber().text("message", text).as_deref(), scrubbed, "{text}");
    }
    let short = Scrubber::new("42", [], true).unwrap();
    assert_eq!(short.text("message", "42 messages"), None);
    assert_eq!(short.text("game_id", "42"), None);
    assert!(short.text("channel_id", "42").is_some());
}

#[test]
fn words_of_programs_and_names_of_others_stay() {
    let finalizer = Scrubber::new("123456789", ["finalizer".into()], true).unwrap();
    for key in ["stage", "flow-stage", "game_name", "type"] {
        assert_eq!(finalizer.text(key, "finalizer"), None, "{key}");
    }
    let mut game = json!({"game": {"id": "1", "name": "Finalizer"}, "channel": {"login": "finalizer"}});
    assert!(finalizer.json("data", &mut game));
    assert_eq!((&game["game"]["name"], &game["channel"]["login"]), (&json!("Finalizer"), &json!("erased")));
    assert_eq!(finalizer.text("channel_name", "The Finalizer"), None);
    assert_eq!(finalizer.text("channel_name", "Finalizer").as_deref(), Some("erased"));
    let own_only = Scrubber::new("123456789", ["finalizer".into()], false).unwrap();
    assert_eq!(own_only.text("title", "with finalizer"), None);
}

#[test]
fn a_record_of_the_channel_keeps_what_is_counted() {
    let scrubber = scrubber();
    let record = json!({"id": "55", "user_id": "123456789", "user_login": "some_body", "user_name": "Some_Body",
        "title": "hello", "tags": ["a"], "viewer_count": 7, "game_id": "123456789", "language": "en",
        "thumbnail_url": "x", "channel": {"id": "123456789", "login": "some_body", "view_count": 9, "created_at": "t"}});
    let mut page = json!([record, {"user_id": "1", "title": "with some_body"}]);
    assert!(scrubber.json("page", &mut page));
    let own = &page[0];
    assert_eq!(
        (&own["viewer_count"], &own["game_id"], &own["language"]),
        (&json!(7), &json!("123456789"), &json!("en"))
    );
    assert_eq!(own["user_id"], own["channel"]["id"], "one pseudonym");
    assert_ne!(own["user_id"], own["id"]);
    assert_eq!((&own["title"], &own["tags"], &own["user_login"]), (&json!(""), &json!([]), &json!("erased")));
    assert_eq!(page[1]["title"], "with erased");
    assert!(!scrubber.json("page", &mut page), "nothing is left");
    // In a text within a document, as rejected records are kept.
    let mut rejects = json!([{"raw": record.to_string(), "rule": "title"}]);
    assert!(scrubber.json("rejects", &mut rejects));
    assert!(!rejects.to_string().contains("some_body"), "{rejects}");
    let mut number = json!({"user_id": 123_456_789, "viewer_count": 123_456_789});
    assert!(scrubber.json("body", &mut number));
    assert_eq!((&number["user_id"], &number["viewer_count"]), (&page[0]["user_id"], &json!(123_456_789)));
    let mut ids = json!(["1", "123456789"]);
    assert!(scrubber.json("channel_ids", &mut ids));
    assert_eq!(ids, json!(["1"]));
}
