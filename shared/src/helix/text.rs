//! Text from Twitch, made fit for PostgreSQL at the edge: U+0000, which its `text` cannot hold, becomes U+FFFD.

use serde::{Deserialize, Deserializer};

/// A text that must be there.
pub(super) fn needed<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(without_nul)
}

pub(super) fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}
