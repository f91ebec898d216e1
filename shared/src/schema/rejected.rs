//! A record that failed validation, as it is kept.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A record that failed validation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rejected {
    /// Its place in the page, from 1.
    pub place: i32,
    /// The rule that rejected it.
    pub rule: String,
    /// What was wrong, in words.
    pub detail: String,
    /// The record as Twitch sent it, byte for byte.
    pub raw: Box<RawValue>,
}
