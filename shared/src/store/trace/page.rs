//! A chunk as it is kept: its records, and the place each had on its page.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::model::PullFacts;
use crate::{
    schema::{ChunkRef, Record, Rejected},
    store::{Error, PlacedRecord, column::Columns, reject_text},
};

/// A chunk.
pub(super) struct KeptPage {
    pub(super) chunk: ChunkRef,
    pub(super) cursor: Option<String>,
    pub(super) records: Vec<Record>,
    pub(super) rejects: Vec<Rejected>,
    pub(super) duplicates: Vec<PlacedRecord>,
    /// Records that were rejected, and let in later: they are the last of `records`.
    pub(super) revalidated: Vec<PlacedRecord>,
    /// How many duplicates there were, told by name or not.
    pub(super) duplicate_count: i32,
    pub(super) stored_at: DateTime<Utc>,
    /// When each of the later stages was done.
    pub(super) done: [(&'static str, &'static str, Option<DateTime<Utc>>); 3],
    pub(super) failure: Option<(String, String)>,
}

const COLUMNS: &str = "chunk, coalesce(page, page_jsonb::json)::text as page, rejects,
    duplicate_records::text as duplicate_records, revalidated_records::text as revalidated_records, cursor, duplicates,
    stored_at, games_at, channels_at, merged_at, failed_stage, failure";

impl KeptPage {
    /// A chunk of a pull; none where it is not there.
    pub(super) async fn load(
        client: &ClientWrapper,
        pull: &PullFacts,
        chunk: i32,
    ) -> Result<Option<Self>, Error> {
        let sql = format!(
            "/* trace::page */
            select {COLUMNS} from pull_chunk where pull_id = $1 and pulled_at = $2 and chunk = $3"
        );
        let statement = client.prepare_cached(&sql).await?;
        let row = client.query_opt(&statement, &[&pull.pull_id.0, &pull.started_at, &chunk]).await?;
        row.map(|row| kept(pull, &row)).transpose()
    }

    /// The chunks of a pull that hold this text where their records are not found by a key: among those that were rejected,
    /// or duplicates, or in pages that are not merged.
    pub(super) async fn holding(
        client: &ClientWrapper,
        pull: &PullFacts,
        text: &str,
    ) -> Result<Vec<Self>, Error> {
        let sql = format!(
            "/* trace::pages_holding */
            select {COLUMNS} from pull_chunk
            where pull_id = $1 and pulled_at = $2
              and (position($3 in coalesce(rejects, '')) > 0 or position($3 in coalesce(duplicate_records::text, '')) > 0
                   or merged_at is null and position($3 in coalesce(page, page_jsonb::json)::text) > 0)
            order by chunk"
        );
        let statement = client.prepare_cached(&sql).await?;
        let rows = client.query(&statement, &[&pull.pull_id.0, &pull.started_at, &text]).await?;
        rows.iter().map(|row| kept(pull, row)).collect()
    }

    /// A stream's record on this page, and whether it was let in later.
    pub(super) fn record(&self, stream: &str) -> Option<(&Record, bool)> {
        let record = self.records.iter().find(|record| record.id.as_str() == stream)?;
        Some((record, self.revalidated.iter().any(|placed| placed.id == stream)))
    }

    /// Where a stored stream stood on its page, from 1: at one of the places that no other kind of record has. None where the
    /// page does not say where its duplicates stood, as those of older builds do not.
    pub(super) fn place(&self, stream: &str) -> Option<i32> {
        if let Some(placed) = self.revalidated.iter().find(|placed| placed.id == stream) {
            return Some(placed.place);
        }
        if i32::try_from(self.duplicates.len()).ok() != Some(self.duplicate_count) {
            return None;
        }
        let at = self.records.iter().position(|record| record.id.as_str() == stream)?;
        let others = self.rejects.iter().map(|reject| reject.place);
        let others = others.chain(self.duplicates.iter().chain(&self.revalidated).map(|placed| placed.place));
        let others: HashSet<i32> = others.collect();
        (1..).filter(|place| !others.contains(place)).nth(at)
    }
}

fn kept(pull: &PullFacts, row: &Row) -> Result<KeptPage, Error> {
    let chunk = ChunkRef { pull_id: pull.pull_id, pulled_at: pull.started_at, chunk: row.column("chunk")? };
    let unreadable = |source| Error::Page { chunk, source };
    let placed = |name| -> Result<Vec<PlacedRecord>, Error> {
        let text: Option<&str> = row.column(name)?;
        text.map_or(Ok(Vec::new()), |text| serde_json::from_str(text).map_err(unreadable))
    };
    let (stage, words): (Option<String>, Option<String>) =
        (row.column("failed_stage")?, row.column("failure")?);
    Ok(KeptPage {
        chunk,
        cursor: row.column("cursor")?,
        records: serde_json::from_str(row.column("page")?).map_err(unreadable)?,
        rejects: reject_text::rejects(row.column("rejects")?),
        duplicates: placed("duplicate_records")?,
        revalidated: placed("revalidated_records")?,
        duplicate_count: row.column("duplicates")?,
        stored_at: row.column("stored_at")?,
        done: [
            ("game-enricher", "ROUTE", row.column("games_at")?),
            ("channel-enricher", "ROUTE", row.column("channels_at")?),
            ("finalizer", "CONTENT_MODIFIED", row.column("merged_at")?),
        ],
        failure: stage.zip(words),
    })
}
