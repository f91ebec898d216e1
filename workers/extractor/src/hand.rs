//! The page in hand: fetched and validated, and not stored yet.
//!
//! Storing may fail again and again, while the database's disk is full, say. The page is kept for the next try, so that Twitch
//! is asked for it once. One page at most, and only in memory: a crash costs one call.

use std::sync::{Mutex, PoisonError};

use shared::{failure::Failure, schema::PullId, store::Extraction};

use crate::Page;

/// The page in hand, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Hand(Mutex<Option<(Place, Page)>>);

/// Where a page belongs: its pull, how many pages come before it, and the cursor it was asked for with.
type Place = (PullId, i32, Option<String>);

fn place(so_far: &Extraction) -> Place {
    (so_far.pull_id, so_far.pages, so_far.cursor.clone())
}

impl Hand {
    /// Takes the page after those of `so_far`, or fetches it. What was in hand for any other place is dropped.
    pub(crate) async fn page<F: Future<Output = Result<Page, Failure>>>(
        &self,
        so_far: &Extraction,
        fetch: impl FnOnce() -> F,
    ) -> Result<Page, Failure> {
        let held = self.slot().take().filter(|(held, _)| *held == place(so_far));
        match held {
            Some((_, page)) => Ok(page),
            None => fetch().await,
        }
    }

    /// Keeps the page after those of `so_far` for the next try.
    pub(crate) fn keep(&self, so_far: &Extraction, page: Page) {
        *self.slot() = Some((place(so_far), page));
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<(Place, Page)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
