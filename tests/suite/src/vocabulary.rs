//! The messages between programs, against golden files: what is in a queue today must be read tomorrow.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use shared::schema::{
    ChannelsFilled, ChunkRef, ChunkStored, DecodeError, GamesFilled, Message, PullClosed, PullExported,
    PullId, PullRequested, PullStatus, RecordsRejected, StopReason, decode, encode,
};

macro_rules! golden {
    ($name:literal) => {
        include_str!(concat!("../golden/messages/", $name, ".json"))
    };
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("a golden file is JSON")
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn chunk() -> ChunkRef {
    ChunkRef { pull_id: PullId(42), pulled_at: time("2026-11-23T12:00:00.000001Z"), chunk: 7 }
}

fn rejected() -> RecordsRejected {
    let by_rule =
        [("malformed-json", 1), ("not-an-object", 1)].map(|(rule, records)| (rule.to_owned(), records));
    RecordsRejected { chunk: chunk(), by_rule: by_rule.into() }
}

fn succeeded() -> PullClosed {
    PullClosed {
        pull_id: PullId(42),
        status: PullStatus::Success,
        slot: Some(time("2026-11-23T12:00:00Z")),
        requested_by: "schedule".into(),
        started_at: chunk().pulled_at,
        extracted_at: Some(time("2026-11-23T12:01:00Z")),
        completed_at: time("2026-11-23T12:02:00.5Z"),
        stop_reason: Some(StopReason::MinViewers),
        pages: 150,
        fetched: 15_000,
        stored: 14_000,
        rejected: 600,
        duplicates: 400,
        games_added: 12,
        games_missing: 1,
        channels_filled: 13_990,
        channels_missing: 10,
        helix_calls: 300,
        error: None,
        whole: Some(true),
    }
}

fn failed() -> PullClosed {
    PullClosed {
        pull_id: PullId(43),
        status: PullStatus::Failed,
        slot: None,
        requested_by: "ada".into(),
        started_at: time("2026-11-23T12:00:00Z"),
        extracted_at: None,
        completed_at: time("2026-11-23T12:02:00Z"),
        stop_reason: Some(StopReason::Error),
        pages: 0,
        fetched: 0,
        stored: 0,
        rejected: 0,
        duplicates: 0,
        games_added: 0,
        games_missing: 0,
        channels_filled: 0,
        channels_missing: 0,
        helix_calls: 6,
        error: Some("extractor: Twitch has trouble: 503 from /streams: (no message)".into()),
        whole: Some(false),
    }
}

/// A message is written as its golden file is, byte for byte, and read from it again.
fn assert_golden<M: Message>(message: &M, golden: &str) {
    let written = String::from_utf8(encode(message)).expect("text");
    assert_eq!(written, golden.trim_end());
    let read: M = decode(golden.as_bytes()).expect("a message");
    assert_eq!(encode(&read), encode(message), "what is read is what was written");
    assert_eq!(read.id(), message.id());
    assert!(written.starts_with(&format!(r#"{{"kind":"{}","version":{},"#, M::KIND, M::VERSION)));
}

#[test]
fn every_message_is_written_as_its_golden_file() {
    assert_golden(&PullRequested { pull_id: PullId(42) }, golden!("pull-requested"));
    assert_golden(&ChunkStored(chunk()), golden!("chunk-stored"));
    assert_golden(&GamesFilled(chunk()), golden!("games-filled"));
    assert_golden(&ChannelsFilled(chunk()), golden!("channels-filled"));
    assert_golden(&rejected(), golden!("records-rejected"));
    assert_golden(&succeeded(), golden!("pull-closed.success"));
    assert_golden(&failed(), golden!("pull-closed.failed"));
    let completed_at = time("2026-11-23T12:02:00.5Z");
    let exported = PullExported { pull_id: PullId(42), completed_at, streams: 14_000 };
    assert_golden(&exported, golden!("pull-exported"));
}

#[test]
fn what_older_builds_said_is_read() {
    let with_records: RecordsRejected = decode(golden!("records-rejected.1").as_bytes()).expect("a message");
    assert_eq!(with_records, rejected());
    for (golden, message) in
        [(golden!("pull-closed.success"), succeeded()), (golden!("pull-closed.failed"), failed())]
    {
        let mut older = json(golden);
        older.as_object_mut().expect("an object").remove("whole");
        let read: PullClosed = decode(older.to_string().as_bytes()).expect("a message");
        assert_eq!(read, PullClosed { whole: None, ..message });
    }
}

#[test]
fn the_fields_of_a_message_may_come_in_any_order_and_in_company() {
    let text = r#" {"chunk":7,"version":1,"tomorrow":{"a":[null]},"pulled_at":"2026-11-23T13:00:00.000001+01:00",
                     "pull_id":42,"kind":"chunk-stored","pull_id_of_tomorrow":43} "#;
    assert_eq!(decode::<ChunkStored>(text.as_bytes()).expect("a message"), ChunkStored(chunk()));
    let mut rejects = json(golden!("pull-closed.failed"));
    rejects["tomorrow"] = json!("more");
    assert_eq!(decode::<PullClosed>(rejects.to_string().as_bytes()).expect("a message"), failed());
}

/// The message with one member changed, or taken out.
fn with(member: &str, value: Option<Value>) -> Vec<u8> {
    let mut message = json(golden!("chunk-stored"));
    let members = message.as_object_mut().expect("an object");
    match value {
        Some(value) => members.insert(member.to_owned(), value),
        None => members.remove(member),
    };
    message.to_string().into_bytes()
}

#[test]
fn what_is_not_the_message_is_an_error_that_says_why() {
    for body in [
        b"".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\xff\xfe".to_vec(),
        golden!("chunk-stored").as_bytes()[..40].to_vec(),
        [golden!("chunk-stored"), "}"].concat().into_bytes(),
        with("kind", None),
        with("version", None),
        with("version", Some(json!("1"))),
        with("pull_id", None),
        with("pull_id", Some(json!("42"))),
        with("pulled_at", Some(json!("yesterday"))),
        with("chunk", Some(json!(1.5))),
        with("chunk", Some(json!(99_999_999_999_u64))),
    ] {
        let text = String::from_utf8_lossy(&body).into_owned();
        let error = decode::<ChunkStored>(&body).expect_err(&text);
        assert!(matches!(error, DecodeError::Malformed { kind: "chunk-stored", .. }), "{text}: {error:?}");
    }
    for (kind, version) in [("games-filled", 1), ("chunk-stored ", 1), ("", 1), ("of-tomorrow", 9)] {
        let mut body = json(golden!("chunk-stored"));
        (body["kind"], body["version"]) = (json!(kind), json!(version));
        let error = decode::<ChunkStored>(body.to_string().as_bytes()).expect_err(kind);
        assert!(
            matches!(&error, DecodeError::Kind { found, expected: "chunk-stored" } if found == kind),
            "{error:?}"
        );
    }
    for version in [0, 2, 99] {
        let error = decode::<ChunkStored>(&with("version", Some(json!(version)))).expect_err("a version");
        let expected = matches!(&error, DecodeError::Version { kind: "chunk-stored", found, known: 1 } if *found == version);
        assert!(expected, "{error:?}");
    }
}
