use super::*;

fn find(name: &str, holds: Holds, value: &str) -> Option<Found> {
    let names = ["Some_Body".to_owned(), "加藤純一".to_owned(), "Émile".to_owned()];
    Needles::new("123456789", &names, false).find(name, holds, value.as_bytes())
}

#[test]
fn the_channel_is_found_however_it_is_written() {
    for value in [
        "with SOME_BODY!",
        r#"{"a": "x\nsome_body"}"#,
        r#""{\"user_name\":\"\\u52a0\\u85e4\\u7d14\\u4e00\"}""#,
        "/search?q=%E5%8A%A0%e8%97%a4%E7%B4%94%E4%B8%80",
        "q=%5Cu52a0%5Cu85e4%5Cu7d14%5Cu4e00",
        r"\u0031\u0032\u0033456789",
        "ÉMILE",
        "%c3%89mile",
        "https://x/live_user_some_body-320x180.jpg",
        "id123456789",
        r#"{"user": 123456789}"#,
        r#"{"channel": {"id": "123456789"}}"#,
        r#"["1", "123456789"]"#,
    ] {
        assert_eq!(find("anything", Holds::Text, value), Some(Found::Unexplained), "{value}");
    }
    assert_eq!(find("channel_number", Holds::Number, "123456789"), Some(Found::Unexplained));
    assert_eq!(find("anything", Holds::Text, "somebody, 12345678, \\u52a0"), None);
}

#[test]
fn what_is_something_else_is_reported_as_that() {
    for (name, holds, value) in [
        ("stream_id", Holds::Text, "41234567890"),
        ("title", Holds::Text, "awesome_body some_bodyguard"),
        ("data", Holds::Text, "https://x/live_user_some_bodyguard-320x180.jpg"),
        ("started_at", Holds::Time, "2026-11-24 10:00:00.123456789+00"),
        ("data", Holds::Text, r#"{"started_at": "2026-11-24T10:00:00.123456789Z"}"#),
        ("fingerprint", Holds::Text, "ab123456789cdef0"),
        ("data", Holds::Text, r#"{"game_id": "123456789"}"#),
        ("viewer_count", Holds::Number, "123456789"),
        ("data", Holds::Text, r#"{"viewer_count": 123456789, "x": 1}"#),
        ("data", Holds::Text, r#"{"game": {"id": "1", "name": "some_body"}}"#),
        ("data", Holds::Text, r#"{"some_body": 1}"#),
        ("game_name", Holds::Text, "Some_Body"),
        ("reason", Holds::Word, "some_body"),
        ("channel_name", Holds::Text, "加藤純一の友達"),
    ] {
        let found = find(name, holds, value);
        assert!(matches!(found, Some(Found::Explained(_))), "{name} {value}: {found:?}");
    }
    // One that is explained does not hide one that is not.
    assert_eq!(find("title", Holds::Text, "awesome_body and some_body"), Some(Found::Unexplained));
}

#[test]
fn an_id_that_may_be_any_number_counts_where_an_id_is_kept() {
    let needles = Needles::new("42", &[], false);
    let find = |name: &str, value: &str| needles.find(name, Holds::Text, value.as_bytes());
    assert_eq!(find("channel_id", "42"), Some(Found::Unexplained));
    assert_eq!(find("data", r#"{"user_id": "42"}"#), Some(Found::Unexplained));
    assert!(matches!(find("title", "42 games"), Some(Found::Explained(_))));
}

#[test]
fn what_others_wrote_is_left_where_that_was_asked() {
    let needles = Needles::new("123456789", &["some_body".to_owned()], true);
    assert!(matches!(needles.find("title", Holds::Text, b"with some_body"), Some(Found::Explained(_))));
    let found = needles.find("data", Holds::Text, br#"{"tags": ["a", "some_body"]}"#);
    assert!(matches!(found, Some(Found::Explained(_))), "{found:?}");
    assert_eq!(needles.find("detail", Holds::Text, b"of some_body"), Some(Found::Unexplained));
}
