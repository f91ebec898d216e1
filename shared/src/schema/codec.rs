//! The bodies of messages: JSON with a kind and a version.

use serde::{Deserialize, Serialize};

use super::message::Message;

/// A body that is not a message we understand. Never passes by itself.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("the message is not a {kind}")]
    Malformed {
        /// The kind that was expected.
        kind: &'static str,
        /// What the parser found, and where.
        source: serde_json::Error,
    },
    /// A message of another kind.
    #[error("the message is a {found:?} where a {expected} belongs")]
    Kind {
        /// The kind in the body.
        found: String,
        /// The kind this stage reads.
        expected: &'static str,
    },
    /// A newer version than this build knows.
    #[error(
        "the {kind} has version {found}, and this build reads versions 1 to {known}: upgrade, then replay it"
    )]
    Version {
        /// The message's kind.
        kind: &'static str,
        /// The version in the body.
        found: u32,
        /// The highest version this build reads.
        known: u32,
    },
}

#[derive(Serialize, Deserialize)]
struct Heading<'a> {
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
    version: u32,
}

#[derive(Serialize)]
struct Envelope<'a, M> {
    #[serde(flatten)]
    heading: Heading<'a>,
    #[serde(flatten)]
    message: &'a M,
}

/// The body of a message: one JSON object.
///
/// # Panics
/// Never: every message serialises to a JSON object, which the golden test shows for each.
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    let heading = Heading { kind: M::KIND.into(), version: M::VERSION };
    serde_json::to_vec(&Envelope { heading, message }).expect("a message is a JSON object")
}

/// The message in a body. Fields this build does not know are passed over.
pub fn decode<M: Message>(body: &[u8]) -> Result<M, DecodeError> {
    let malformed = |source| DecodeError::Malformed { kind: M::KIND, source };
    let heading: Heading<'_> = serde_json::from_slice(body).map_err(malformed)?;
    if heading.kind != M::KIND {
        return Err(DecodeError::Kind { found: heading.kind.chars().take(80).collect(), expected: M::KIND });
    }
    if !(1..=M::VERSION).contains(&heading.version) {
        return Err(DecodeError::Version { kind: M::KIND, found: heading.version, known: M::VERSION });
    }
    serde_json::from_slice(body).map_err(malformed)
}
