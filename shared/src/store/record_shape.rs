//! Table `record_shape`: fields of Twitch's records that are not as documented.

use chrono::{DateTime, Utc};

use super::{Error, Store, column::Columns};
use crate::schema::{OddShape, PullId};

impl Store {
    /// Notes what has drifted in a pull; returns what has to be told: what the pull before had as well, and nobody was told of.
    /// Of several callers at once, one is told. A pull that is noted twice counts once.
    pub async fn note_shapes(
        &self,
        pull: PullId,
        shapes: &[OddShape],
        now: DateTime<Utc>,
    ) -> Result<Vec<OddShape>, Error> {
        let sql = "/* record_shape::note */
            insert into record_shape as s (field, kind, first_pull_id, last_pull_id, records, of_records, sample)
            select field, kind, $1, $1, records, of_records, sample
            from unnest($2::text[], $3::text[], $4::int[], $5::int[], $6::text[])
                shape (field, kind, records, of_records, sample)
            order by field, kind
            on conflict (field, kind) do update
            set pulls = case when s.last_pull_id = $1 then s.pulls else s.pulls + 1 end,
                last_pull_id = $1, records = excluded.records, of_records = excluded.of_records, sample = excluded.sample,
                told_at = case when s.told_at is null and s.last_pull_id = (
                                   select max(id) from pull where id < $1 and extracted_at is not null)
                               then $7 else s.told_at end
            returning field, kind, told_at = $7 as told";
        if shapes.is_empty() {
            return Ok(Vec::new());
        }
        let texts = |of: fn(&OddShape) -> &str| shapes.iter().map(of).collect::<Vec<_>>();
        let counts = |of: fn(&OddShape) -> u32| {
            shapes.iter().map(|shape| i32::try_from(of(shape)).unwrap_or(i32::MAX)).collect::<Vec<_>>()
        };
        let samples: Vec<String> =
            shapes.iter().map(|shape| shape.sample.replace('\0', "\u{FFFD}")).collect();
        let client = self.client().await?;
        let rows = client
            .query(
                sql,
                &[
                    &pull.0,
                    &texts(|shape| &shape.field),
                    &texts(|shape| shape.kind.as_str()),
                    &counts(|shape| shape.records),
                    &counts(|shape| shape.of_records),
                    &samples,
                    &now,
                ],
            )
            .await?;
        let mut told = Vec::new();
        for row in rows {
            let (field, kind): (&str, &str) = (row.column("field")?, row.column("kind")?);
            if row.column::<Option<bool>>("told")? == Some(true) {
                told.extend(
                    shapes.iter().find(|shape| shape.field == field && shape.kind.as_str() == kind).cloned(),
                );
            }
        }
        Ok(told)
    }
}
