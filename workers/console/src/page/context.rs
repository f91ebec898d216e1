//! What pages work with, and what they find.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    cell::Cell,
    document::{Block, Document},
    sampler::Sample,
    state::Console,
};

/// What a page found.
pub(crate) struct Found {
    /// For a person.
    pub(crate) document: Document,
    /// For a program.
    pub(crate) data: Value,
}

/// What pages work with.
pub(crate) struct Context<'a> {
    /// The program.
    pub(crate) console: &'a Console,
    /// How the flow stands.
    pub(crate) sample: Arc<Sample>,
    /// The time.
    pub(crate) now: DateTime<Utc>,
}

impl Context<'_> {
    /// Ways to order something, each with the page that asks before it is done; none where nothing can be ordered.
    pub(super) fn orders<L: Into<String>>(
        &self,
        name: &'static str,
        ways: impl IntoIterator<Item = (L, String)>,
    ) -> Option<Block> {
        let ways: Vec<Cell> = ways.into_iter().map(|(words, href)| Cell::text(words).link(href)).collect();
        (self.console.guard.allows_actions() && !ways.is_empty()).then_some(Block::Filters(name, ways))
    }
}

/// Data as JSON; what cannot be written as such would be a fault of ours.
pub(super) fn json_of(data: &impl serde::Serialize) -> Value {
    serde_json::to_value(data).unwrap_or_else(|error| json!({ "error": error.to_string() }))
}
