//! A page made ready to be stored: what the pull has of it already, and where the pull stands after it.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{
    Extraction,
    reject_text::{by_rule, rejects_text},
};
use crate::schema::{ChunkRef, Record, Rejected, StopReason, StreamId};

/// A validated page.
#[derive(Debug)]
pub struct NewPage<'a> {
    /// Records as received, good and bad.
    pub fetched: i32,
    /// Those that passed, in the page's order; may hold a stream twice.
    pub records: &'a [Record],
    /// Those that did not.
    pub rejects: &'a [Rejected],
    /// The cursor of the next page.
    pub next_cursor: Option<&'a str>,
    /// Characters U+0000 replaced in its texts.
    pub nul_replaced: i32,
    /// Calls to Helix made for it.
    pub helix_calls: i32,
}

/// A record that is not where its page had it, as its chunk remembers it: a duplicate, or one that was let in later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacedRecord {
    /// Its place on its page, from 1.
    pub place: i32,
    /// The stream.
    pub id: String,
    /// The viewers it had this time.
    pub viewer_count: i32,
}

/// What is only known of a page by the pages before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageFacts {
    /// Streams the pull did not have yet.
    pub stored: i32,
    /// Whether the page's next cursor was given by an earlier page of this pull.
    pub cursor_repeats: bool,
}

/// What the pages of a pull hold so far: its streams, and the cursors they gave.
#[derive(Debug, Default)]
pub struct Seen {
    pub(super) streams: HashSet<StreamId>,
    pub(super) cursors: HashSet<String>,
}

/// A page as it will be stored, and where the pull stands after it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Where the pull stands after it.
    pub after: Extraction,
    /// Its chunk.
    pub chunk: ChunkRef,
    /// Streams the pull did not have yet.
    pub stored: i32,
    /// Records whose stream the pull already had.
    pub duplicates: i32,
    /// Rejected records by rule.
    pub by_rule: BTreeMap<String, u32>,
    /// Why it is the last page, if it is.
    pub stop_reason: Option<StopReason>,
    /// The cursor it was asked for with.
    pub(super) cursor: Option<String>,
    /// The cursor it names.
    pub(super) next_cursor: Option<String>,
    /// The streams, as JSON.
    pub(super) page: String,
    pub(super) rejects: Option<String>,
    /// Records whose stream the pull already had, as JSON; none where there are none.
    pub(super) duplicate_records: Option<String>,
    pub(super) game_ids: String,
    pub(super) channel_ids: String,
    pub(super) fetched: i32,
    pub(super) rejected: i32,
    pub(super) nul_replaced: i32,
    pub(super) helix_calls: i32,
}

impl Draft {
    /// Makes the page after those of `so_far` ready to be stored, with the end of extraction where `conclude` finds one.
    /// From then on its streams and its cursor are `seen`.
    ///
    /// The last page and the end of extraction are one commit: so the journey of the last chunk through the stages is
    /// what closes the pull.
    ///
    /// # Errors
    /// Where its records cannot be written as JSON.
    pub fn new(
        so_far: &Extraction,
        seen: &mut Seen,
        page: &NewPage<'_>,
        conclude: impl FnOnce(PageFacts) -> Option<StopReason>,
    ) -> Result<Self, serde_json::Error> {
        let (mut kept, mut repeated): (Vec<&Record>, Vec<PlacedRecord>) = Default::default();
        for (place, record) in places(page).zip(page.records) {
            if seen.streams.insert(record.id.clone()) {
                kept.push(record);
            } else {
                repeated.push(PlacedRecord::of(place, record));
            }
        }
        let cursor_repeats = page.next_cursor.is_some_and(|cursor| !seen.cursors.insert(cursor.to_owned()));
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let (stored, rejected) = (count(kept.len()), count(page.rejects.len()));
        let duplicates = page.fetched - stored - rejected;
        let stop_reason = conclude(PageFacts { stored, cursor_repeats });
        let after = Extraction {
            pull_id: so_far.pull_id,
            pulled_at: so_far.pulled_at,
            pages: so_far.pages + 1,
            cursor: page.next_cursor.map(str::to_owned),
            last_viewers: page.records.last().map(|record| record.viewer_count).or(so_far.last_viewers),
            idle_pages: if stored + rejected > 0 { 0 } else { so_far.idle_pages + 1 },
            stored: so_far.stored + stored,
            duplicates: so_far.duplicates + duplicates,
            ended: stop_reason.is_some(),
        };
        Ok(Self {
            chunk: ChunkRef { pull_id: after.pull_id, pulled_at: after.pulled_at, chunk: after.pages },
            after,
            stored,
            duplicates,
            by_rule: by_rule(page.rejects),
            stop_reason,
            cursor: so_far.cursor.clone(),
            next_cursor: page.next_cursor.map(str::to_owned),
            page: serde_json::to_string(&kept)?,
            rejects: rejects_text(page.rejects),
            duplicate_records: placed_text(&repeated)?,
            game_ids: distinct(kept.iter().filter_map(|record| record.game_id.as_ref())).join(","),
            channel_ids: distinct(kept.iter().map(|record| &record.user_id)).join(","),
            fetched: page.fetched,
            rejected,
            nul_replaced: page.nul_replaced,
            helix_calls: page.helix_calls,
        })
    }
}

impl PlacedRecord {
    pub(super) fn of(place: i32, record: &Record) -> Self {
        Self { place, id: record.id.as_str().to_owned(), viewer_count: record.viewer_count }
    }
}

/// Such records as the JSON they are kept as; none where there are none.
pub(super) fn placed_text(records: &[PlacedRecord]) -> Result<Option<String>, serde_json::Error> {
    (!records.is_empty()).then(|| serde_json::to_string(records)).transpose()
}

/// The places of the records that passed: those that no reject has.
fn places(page: &NewPage<'_>) -> impl Iterator<Item = i32> {
    let rejected: HashSet<i32> = page.rejects.iter().map(|reject| reject.place).collect();
    (1..).filter(move |place| !rejected.contains(place))
}

/// Ids in their order, each once.
pub(super) fn distinct<'a, T: AsRef<str> + 'a>(ids: impl Iterator<Item = &'a T>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = ids.map(AsRef::as_ref).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
