//! Rejected records on their way into their chunk, which keeps the places that they had.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::types::Json;

use super::{
    Error,
    draft::{self, PlacedRecord},
    page, reject_text,
};
use crate::{
    schema::{ChunkRef, Record, Rejected},
    version::VERSION,
};

/// Records that pass by now: those that enter, and those whose stream the pull has.
pub(super) struct Entering<'a> {
    pub(super) kept: Vec<&'a Record>,
    entered: Vec<PlacedRecord>,
    repeated: Vec<PlacedRecord>,
}

impl<'a> Entering<'a> {
    /// Of these records, which stood at these `places`, into a pull that has these streams.
    pub(super) fn new(mut there: HashSet<String>, places: &[i32], records: &'a [Record]) -> Self {
        let mut entering = Self { kept: Vec::new(), entered: Vec::new(), repeated: Vec::new() };
        for (place, record) in places.iter().zip(records) {
            let at = PlacedRecord::of(*place, record);
            if there.insert(record.id.as_str().to_owned()) {
                entering.kept.push(record);
                entering.entered.push(at);
            } else {
                entering.repeated.push(at);
            }
        }
        entering
    }

    /// Writes them at the end of the chunk's `page`, and `remaining` as what is still rejected. A chunk into which a stream
    /// entered lacks its games, channels and merge from then on.
    pub(super) async fn write(
        &self,
        transaction: &Transaction<'_>,
        chunk: ChunkRef,
        page: &str,
        remaining: &[Rejected],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let update = "/* entering::write */
            update pull_chunk
            set page = $4::text::json, page_jsonb = null, rejects = $5, rejected_by_rule = $6,
                game_ids = array(select distinct id from unnest(game_ids || $7::text[]) id order by id),
                channel_ids = array(select distinct id from unnest(channel_ids || $8::text[]) id order by id),
                stored = stored + $9, rejected = rejected - $9 - $10, duplicates = duplicates + $10,
                games_at = case when $9 = 0 then games_at end,
                channels_at = case when $9 = 0 then channels_at end,
                merged_at = case when $9 = 0 then merged_at end,
                games_missing = case when $9 = 0 then games_missing end,
                channels_filled = case when $9 = 0 then channels_filled end,
                channels_missing = case when $9 = 0 then channels_missing end,
                duplicate_records = case when $11::text is null then duplicate_records else
                    (coalesce(duplicate_records::jsonb, '[]') || $11::jsonb)::json end,
                revalidated_records = case when $12::text is null then revalidated_records else
                    (coalesce(revalidated_records::jsonb, '[]') || $12::jsonb)::json end
            where pull_id = $1 and pulled_at = $2 and chunk = $3";
        let note = "/* entering::note */
            insert into provenance (pull_id, pulled_at, chunk, at, stage, action, detail, build)
            values ($1, $2, $3, $4, 'operator', 'CONTENT_MODIFIED', $5, $6)";
        let unwritable = |source| Error::Page { chunk, source };
        let placed = |records: &[PlacedRecord]| draft::placed_text(records).map_err(unwritable);
        let count = |records: &[PlacedRecord]| i32::try_from(records.len()).unwrap_or(i32::MAX);
        let (entered, repeated) = (count(&self.entered), count(&self.repeated));
        let key = (chunk.pull_id.0, chunk.pulled_at, chunk.chunk);
        transaction
            .execute(
                update,
                &[
                    &key.0,
                    &key.1,
                    &key.2,
                    &page::joined(page, &self.kept).map_err(unwritable)?,
                    &reject_text::rejects_text(remaining),
                    &Json(reject_text::by_rule(remaining)),
                    &draft::distinct(self.kept.iter().filter_map(|record| record.game_id.as_ref())),
                    &draft::distinct(self.kept.iter().map(|record| &record.user_id)),
                    &entered,
                    &repeated,
                    &placed(&self.repeated)?,
                    &placed(&self.entered)?,
                ],
            )
            .await?;
        let done = format!("{entered} rejected records let in, {repeated} duplicates");
        transaction.execute(note, &[&key.0, &key.1, &key.2, &now, &done, &VERSION]).await?;
        Ok(())
    }
}
