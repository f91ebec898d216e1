//! What a message carries beside its body: who sent it, how often it failed, and why.

use chrono::{DateTime, SecondsFormat, Utc};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString, ShortString},
};

use super::{dead_letter, fingerprint::fingerprint};
use crate::{dead_letter::Replayed, failure::Failure, version::VERSION};

/// Names of our headers.
pub mod header {
    /// How many attempts at this message have failed.
    pub const ATTEMPTS: &str = "flow-attempts";
    /// The stage that failed.
    pub const STAGE: &str = "flow-stage";
    /// The failure's class.
    pub const CLASS: &str = "flow-class";
    /// The failure's code.
    pub const CODE: &str = "flow-code";
    /// The failure in words.
    pub const MESSAGE: &str = "flow-message";
    /// What caused it, outermost first.
    pub const CAUSES: &str = "flow-causes";
    /// When this message failed first, RFC 3339.
    pub const FIRST_FAILED_AT: &str = "flow-first-failed-at";
    /// When it failed last, RFC 3339.
    pub const LAST_FAILED_AT: &str = "flow-last-failed-at";
    /// The version of the program that failed.
    pub const BUILD: &str = "flow-build";
    /// The host it ran on.
    pub const HOST: &str = "flow-host";
    /// The dead letter's own name.
    pub const LETTER: &str = "flow-letter";
    /// What failures of one cause have in common.
    pub const FINGERPRINT: &str = "flow-fingerprint";
    /// How many replays the message has behind it.
    pub const GENERATION: &str = "flow-generation";
    /// The replay that sent the message.
    pub const REPLAY: &str = "flow-replay";
    /// The dead letter the message was, by its number in the dead-letter store.
    pub const REPLAYED_LETTER: &str = "flow-replayed-letter";

    /// What a replay takes off: a fresh message has not failed yet.
    pub const OF_A_FAILURE: [&str; 11] = [
        ATTEMPTS,
        STAGE,
        CLASS,
        CODE,
        MESSAGE,
        CAUSES,
        FIRST_FAILED_AT,
        LAST_FAILED_AT,
        BUILD,
        HOST,
        FINGERPRINT,
    ];
}

/// All headers of a failure together stay below the 8 KiB we promise.
const LONGEST_CAUSES: usize = 3 * 1024;

/// What the broker adds to a message that was dead-lettered or redelivered. Never carried over to a message we publish:
/// RabbitMQ 3.10 trusts a copied history, and drops the message for going in a circle.
fn is_brokers(name: &str) -> bool {
    name == "x-delivery-count"
        || ["x-death", "x-first-death-", "x-last-death-"].iter().any(|prefix| name.starts_with(prefix))
}

/// Properties of a new message.
pub(in crate::runtime) fn new(kind: &str, id: &str, program: &str, now: DateTime<Utc>) -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
        .with_type(kind.into())
        .with_message_id(short(id))
        .with_app_id(short(program))
        .with_timestamp(u64::try_from(now.timestamp()).unwrap_or_default())
}

/// The same properties for the same message published again, without what the broker added, and without what would
/// keep the broker from taking it or from keeping it: somebody else's user id, an expiration.
pub(in crate::runtime) fn again(properties: &BasicProperties) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
        if !is_brokers(name.as_str()) {
            headers.insert(name.clone(), value.clone());
        }
    }
    kept(properties).with_headers(headers).with_delivery_mode(2)
}

/// The properties that are the message's own.
pub(in crate::runtime) fn kept(properties: &BasicProperties) -> BasicProperties {
    let mut kept = BasicProperties::default();
    macro_rules! keep {
        ($($name:ident: $with:ident),*) => {$(
            if let Some(value) = properties.$name() {
                kept = kept.$with(value.clone());
            }
        )*};
    }
    keep!(
        content_type: with_content_type,
        content_encoding: with_content_encoding,
        delivery_mode: with_delivery_mode,
        priority: with_priority,
        correlation_id: with_correlation_id,
        reply_to: with_reply_to,
        message_id: with_message_id,
        timestamp: with_timestamp,
        kind: with_type,
        app_id: with_app_id
    );
    kept
}

/// How many attempts at a message have failed so far.
pub(in crate::runtime) fn failed_attempts(properties: &BasicProperties) -> u32 {
    let header = properties.headers().as_ref().and_then(|headers| headers.inner().get(header::ATTEMPTS));
    match header {
        Some(AMQPValue::LongUInt(attempts)) => *attempts,
        Some(AMQPValue::LongLongInt(attempts)) => u32::try_from(*attempts).unwrap_or_default(),
        Some(AMQPValue::LongInt(attempts)) => u32::try_from(*attempts).unwrap_or_default(),
        _ => 0,
    }
}

/// The properties of a message with which something was achieved: its attempts count from zero again.
pub(in crate::runtime) fn progressed(properties: &BasicProperties) -> BasicProperties {
    let properties = again(properties);
    let mut headers = properties.headers().clone().unwrap_or_default();
    headers.insert(header::ATTEMPTS.into(), AMQPValue::LongUInt(0));
    properties.with_headers(headers)
}

/// The properties of a message that failed, with the reason.
pub(in crate::runtime) fn failed(
    properties: &BasicProperties,
    stage: &str,
    failure: &Failure,
    failed_attempts: u32,
    now: DateTime<Utc>,
) -> BasicProperties {
    let properties = again(properties);
    let mut headers = properties.headers().clone().unwrap_or_default();
    let time = now.to_rfc3339_opts(SecondsFormat::Millis, true);
    let causes = bounded(&failure.causes.join(": "), LONGEST_CAUSES).to_owned();
    let fingerprint = fingerprint(stage, failure.class.as_str(), failure.code, &failure.message, &causes);
    let mut put = |name: &str, value: AMQPValue| {
        headers.insert(name.into(), value);
    };
    put(header::ATTEMPTS, AMQPValue::LongUInt(failed_attempts));
    put(header::STAGE, text(stage));
    put(header::CLASS, text(failure.class.as_str()));
    put(header::CODE, text(failure.code));
    put(header::MESSAGE, text(&failure.message));
    put(header::CAUSES, text(&causes));
    put(header::FINGERPRINT, text(&fingerprint));
    put(header::LAST_FAILED_AT, text(&time));
    put(header::BUILD, text(VERSION));
    put(header::HOST, text(&host()));
    if !headers.contains_key(header::FIRST_FAILED_AT) {
        headers.insert(header::FIRST_FAILED_AT.into(), text(&time));
    }
    properties.with_headers(headers)
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(value))
}

/// A short string holds 255 bytes; a longer one would panic in the client library.
pub(in crate::runtime) fn short(value: &str) -> ShortString {
    bounded(value, 255).into()
}

/// The text, cut at a character to at most so many bytes.
fn bounded(text: &str, longest: usize) -> &str {
    let end = (0..=text.len().min(longest)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}

/// The properties of a dead letter: those of the failure, and the dead letter's name.
pub(in crate::runtime) fn dead_letter(properties: &BasicProperties, name: &str) -> BasicProperties {
    let mut headers = properties.headers().clone().unwrap_or_default();
    headers.insert(header::LETTER.into(), text(name));
    properties.clone().with_headers(headers)
}

/// The properties of a fresh message made of a dead letter: linked to it, one generation on, as if it never failed.
pub(in crate::runtime) fn replay(properties: &BasicProperties, replayed: Replayed) -> BasicProperties {
    let properties = again(properties);
    let mut headers = FieldTable::default();
    for (name, value) in properties.headers().iter().flat_map(FieldTable::inner) {
        if !header::OF_A_FAILURE.contains(&name.as_str()) && name.as_str() != header::LETTER {
            headers.insert(name.clone(), value.clone());
        }
    }
    let generation = dead_letter::generation(&properties).saturating_add(1);
    headers.insert(header::GENERATION.into(), AMQPValue::LongInt(generation));
    headers.insert(header::REPLAY.into(), AMQPValue::LongLongInt(replayed.replay_id));
    headers.insert(header::REPLAYED_LETTER.into(), AMQPValue::LongLongInt(replayed.letter_id));
    properties.with_headers(headers)
}

pub(in crate::runtime) fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_history_is_left_behind() {
        let mut headers = FieldTable::default();
        for name in ["x-death", "x-first-death-queue", "x-last-death-reason", "x-delivery-count", "mine"] {
            headers.insert(name.into(), text("value"));
        }
        let properties = again(&BasicProperties::default().with_headers(headers));
        let kept = properties.headers().clone().unwrap();
        assert_eq!(kept.inner().keys().map(ShortString::as_str).collect::<Vec<_>>(), ["mine"]);
    }

    #[test]
    fn what_would_keep_the_broker_from_keeping_it_is_left_behind() {
        let properties = BasicProperties::default()
            .with_expiration("1000".into())
            .with_user_id("somebody".into())
            .with_correlation_id("c".into());
        let again = again(&properties);
        assert_eq!((again.expiration(), again.user_id()), (&None, &None));
        assert_eq!(again.correlation_id().as_ref().map(ShortString::as_str), Some("c"));
    }

    #[test]
    fn a_failure_is_told_in_headers_and_the_first_time_stays() {
        let failure = Failure::permanent("test.code", "it broke");
        let once = failed(&BasicProperties::default(), "finalizer", &failure, 1, DateTime::UNIX_EPOCH);
        let later = DateTime::from_timestamp(60, 0).unwrap();
        let twice = failed(&once, "finalizer", &failure, 2, later);
        assert_eq!(failed_attempts(&twice), 2);
        let headers = twice.headers().clone().unwrap();
        assert_eq!(headers.inner()[header::FIRST_FAILED_AT], text("1970-01-01T00:00:00.000Z"));
        assert_eq!(headers.inner()[header::LAST_FAILED_AT], text("1970-01-01T00:01:00.000Z"));
        assert_eq!(headers.inner()[header::CODE], text("test.code"));
    }

    #[test]
    fn a_short_string_is_cut_at_a_character() {
        assert_eq!(short(&"ż".repeat(200)).as_str().len(), 254);
    }
}
