//! What pages showed last, for when PostgreSQL is unavailable.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};

/// So many pages are remembered; a page has at most 100 KB.
const MOST: usize = 32;

/// What a page showed, and when.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    /// Its title.
    pub(crate) title: String,
    /// Its sections as HTML.
    pub(crate) sections: Arc<str>,
    /// Its data as JSON: a text takes a fraction of what its values do.
    pub(crate) data: Arc<str>,
    /// When it was read.
    pub(crate) at: DateTime<Utc>,
}

/// The pages shown last, by their address.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<String, Shown>>);

impl Memory {
    /// Remembers what a page showed, and forgets the one that was read longest ago where there are too many.
    pub(crate) fn keep(&self, address: &str, shown: Shown) {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pages.insert(address.to_owned(), shown);
        if pages.len() > MOST {
            let oldest = pages.iter().min_by_key(|(_, shown)| shown.at).map(|(address, _)| address.clone());
            oldest.and_then(|oldest| pages.remove(&oldest));
        }
    }

    /// What the page at this address showed last.
    pub(crate) fn recall(&self, address: &str) -> Option<Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned()
    }
}
