//! The search that proves the erasure of a channel: its id and names as bytes, in any case and however they are escaped.
//!
//! It judges by rules of its own, and shares with the [`crate::scrub::Scrubber`] only the list of columns that hold programs' words, in
//! which a hit is reported all the same: a form that the scrubber misses has to be found here. Every hit counts.
//! One that cannot be the channel (digits within a longer number, a word of the schema) is *explained*, and reported as that.

mod decode;
mod explain;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::explain::Holds;
use self::{decode::layers, explain::Hit};

/// Rows by table and column, and messages by queue.
type Places = BTreeMap<String, i64>;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Needles {
    id: String,
    /// In lower case.
    names: Vec<String>,
    /// Whether all of them are ASCII.
    is_ascii: bool,
    /// Whether titles, tags and descriptions of others were left as they were on purpose.
    own_only: bool,
}

/// What a search found in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The channel, as far as anybody can tell.
    Unexplained,
    /// The same bytes, for this reason.
    Explained(&'static str),
}

impl Found {
    /// The graver of two.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == Self::Unexplained { self } else { other }
    }
}

/// Why what is known of games is not the channel: one may be called like it.
pub const OF_GAMES: &str = "in what is known of games";

impl Needles {
    /// For a channel of this id and these names.
    pub fn new(id: &str, names: &[String], own_only: bool) -> Self {
        let names = names.iter().map(|name| name.to_lowercase()).filter(|name| !name.is_empty());
        let names: Vec<String> = names.collect();
        let is_ascii = names.iter().all(|name| name.is_ascii());
        Self { id: id.to_owned(), names, is_ascii, own_only }
    }

    /// Whether the bytes hold the id or a name in any form that is searched for.
    pub fn occur_in(&self, bytes: &[u8]) -> bool {
        let holds = |text: &str| self.all().any(|needle| text.contains(needle));
        layers(&String::from_utf8_lossy(bytes), self.is_ascii).iter().any(|layer| holds(layer))
    }

    /// What the value of a column or member named `name` holds of the channel; none where it has none of the bytes.
    pub fn find(&self, name: &str, holds: Holds, value: &[u8]) -> Option<Found> {
        let mut found = None;
        for layer in layers(&String::from_utf8_lossy(value), self.is_ascii) {
            for needle in self.all() {
                for (at, _) in layer.match_indices(needle) {
                    let hit = Hit { name, holds, text: &layer, at, needle };
                    match hit.explanation(needle == self.id, self.own_only) {
                        None => return Some(Found::Unexplained),
                        Some(reason) => found = Some(Found::Explained(reason)),
                    }
                }
            }
        }
        found
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str).chain([self.id.as_str()])
    }
}

/// Where a channel's bytes are after an erasure: rows by `table.column`, messages by queue, values by file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftovers {
    /// The channel, as far as anybody can tell.
    pub unexplained: Places,
    /// The same bytes where they are something else, by reason.
    pub explained: BTreeMap<String, Places>,
}

impl Leftovers {
    /// Counts what was found at a place.
    pub fn note(&mut self, place: &str, found: Option<Found>) {
        let places = match found {
            None => return,
            Some(Found::Unexplained) => &mut self.unexplained,
            Some(Found::Explained(reason)) => self.explained.entry(reason.to_owned()).or_default(),
        };
        *places.entry(place.to_owned()).or_default() += 1;
    }

    /// Adds what was found elsewhere.
    pub fn extend(&mut self, other: Self) {
        let add = |to: &mut Places, from: Places| {
            for (place, rows) in from {
                *to.entry(place).or_default() += rows;
            }
        };
        add(&mut self.unexplained, other.unexplained);
        for (reason, places) in other.explained {
            add(self.explained.entry(reason).or_default(), places);
        }
    }
}

#[cfg(test)]
mod tests;
