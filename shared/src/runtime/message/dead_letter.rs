//! Reading a dead letter off a message, whoever dead-lettered it: us with our headers, or the broker with its own.

use chrono::{DateTime, Datelike, Utc};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use serde::Deserialize;

use super::{fingerprint, headers::header, properties_json};
use crate::dead_letter::{DeadLetter, Replayed};

/// What a body says of what it is about, whatever else it holds.
#[derive(Default, Deserialize)]
pub(in crate::runtime) struct Subject {
    pub(in crate::runtime) pull_id: Option<i64>,
    pub(in crate::runtime) chunk: Option<i32>,
}

impl Subject {
    pub(in crate::runtime) fn of(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }
}

/// The dead letter that a message with these properties is in the dead-letter queue of `stage`; `now` stands in where it does
/// not say when it failed.
pub(in crate::runtime) fn read(
    properties: &BasicProperties,
    body: &[u8],
    stage: &str,
    now: DateTime<Utc>,
) -> DeadLetter {
    let headers = properties.headers().clone().unwrap_or_default();
    let text = |name: &str| text(&headers, name);
    let number = |name: &str| number(&headers, name);
    let property = |value: &Option<lapin::types::ShortString>| {
        value.as_ref().map(|value| properties_json::clean(value.as_str())).unwrap_or_default()
    };
    let time = |name: &str| text(name).and_then(|time| time.parse::<DateTime<Utc>>().ok()).filter(is_sane);
    // A dead letter without our headers was put there by the broker itself, which says why in a word.
    let (class, code, message) = match text(header::CODE) {
        Some(code) => {
            (text(header::CLASS).unwrap_or_default(), code, text(header::MESSAGE).unwrap_or_default())
        }
        None => match text("x-first-death-reason").as_deref() {
            Some("delivery_limit") => (
                "permanent".into(),
                "broker.delivery_limit".into(),
                "delivered as often as the queue's limit allows, and never settled: each time the worker that had it ended, \
                 or lost its connection"
                    .into(),
            ),
            Some(reason) => (
                "permanent".into(),
                format!("broker.{reason}"),
                format!("the broker dead-lettered it: {reason}"),
            ),
            None => (
                "permanent".into(),
                "unknown".into(),
                "somebody put it there by hand, without a reason".into(),
            ),
        },
    };
    let causes = text(header::CAUSES).unwrap_or_default();
    let subject = Subject::of(body);
    let failed_at = time(header::LAST_FAILED_AT).or_else(|| death(&headers)).unwrap_or(now);
    let fingerprint = text(header::FINGERPRINT)
        .unwrap_or_else(|| fingerprint::fingerprint(stage, &class, &code, &message, &causes));
    DeadLetter {
        letter: text(header::LETTER).unwrap_or_else(|| name(stage, properties, body)),
        queue: format!("{stage}.dead"),
        stage: stage.to_owned(),
        class,
        code,
        message,
        causes,
        fingerprint,
        attempts: number(header::ATTEMPTS).and_then(|n| i32::try_from(n).ok()).unwrap_or_default(),
        first_failed_at: time(header::FIRST_FAILED_AT).unwrap_or(failed_at),
        last_failed_at: failed_at,
        build: text(header::BUILD).unwrap_or_default(),
        host: text(header::HOST).unwrap_or_default(),
        generation: generation(properties),
        replayed: replayed(properties),
        message_id: property(properties.message_id()),
        kind: property(properties.kind()),
        pull_id: subject.pull_id,
        chunk: subject.chunk,
        properties: properties_json::to_json(properties),
        body: body.to_vec(),
    }
}

/// The name of a dead letter: the same for the same message of the same generation that dies again. A message without an id
/// cannot be recognised, and is told by its body.
pub(in crate::runtime) fn name(stage: &str, properties: &BasicProperties, body: &[u8]) -> String {
    let id = properties.message_id().as_ref().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let replay = replayed(properties).map(|replayed| replayed.replay_id).unwrap_or_default();
    let whole = format!("{stage}\n{id}\n{}\n{replay}\n", generation(properties));
    fingerprint::hash(&[whole.as_bytes(), body].concat())
}

/// How many replays a message has behind it.
pub(in crate::runtime) fn generation(properties: &BasicProperties) -> i32 {
    let headers = properties.headers().clone().unwrap_or_default();
    number(&headers, header::GENERATION).and_then(|n| i32::try_from(n).ok()).unwrap_or_default()
}

/// Which dead letter a message is the replay of, if it is one.
pub(in crate::runtime) fn replayed(properties: &BasicProperties) -> Option<Replayed> {
    let headers = properties.headers().clone().unwrap_or_default();
    Some(Replayed {
        replay_id: number(&headers, header::REPLAY)?,
        letter_id: number(&headers, header::REPLAYED_LETTER)?,
    })
}

pub(in crate::runtime) fn text(headers: &FieldTable, name: &str) -> Option<String> {
    match headers.inner().get(name)? {
        AMQPValue::LongString(text) => {
            Some(properties_json::clean(&String::from_utf8_lossy(text.as_bytes())))
        }
        AMQPValue::ShortString(text) => Some(properties_json::clean(text.as_str())),
        _ => None,
    }
}

pub(in crate::runtime) fn number(headers: &FieldTable, name: &str) -> Option<i64> {
    match headers.inner().get(name)? {
        AMQPValue::LongLongInt(number) => Some(*number),
        AMQPValue::LongInt(number) => Some((*number).into()),
        AMQPValue::LongUInt(number) => Some((*number).into()),
        AMQPValue::ShortInt(number) => Some((*number).into()),
        _ => None,
    }
}

/// When the broker says the message died.
fn death(headers: &FieldTable) -> Option<DateTime<Utc>> {
    let AMQPValue::FieldArray(deaths) = headers.inner().get("x-death")? else { return None };
    let AMQPValue::FieldTable(latest) = deaths.as_slice().first()? else { return None };
    match latest.inner().get("time")? {
        AMQPValue::Timestamp(seconds) => {
            DateTime::from_timestamp(i64::try_from(*seconds).ok()?, 0).filter(is_sane)
        }
        _ => None,
    }
}

/// A time that PostgreSQL can hold and that can be meant. Anybody may write a header.
fn is_sane(time: &DateTime<Utc>) -> bool {
    (1970..=9999).contains(&time.year())
}
