//! Games and channels that nothing names any more.
//!
//! A stream keeps its game and its channel in its own document; what joins the tables is a query of a person, by id. So a row stays as
//! long as a stream that is stored names it, or a chunk that is not merged yet. One whose chunk comes in at the very moment is stale, and
//! the enrichers ask for it anew.

use chrono::{DateTime, Utc};

use super::{
    super::{Error, Store},
    rows::{BATCH, Stored},
};

/// Rows `t` that are older than $1, which is before everything that is stored of streams, and that nothing names: as the end of a
/// statement. A row that was asked for since is likely to be named, and to look would be to read all that is stored.
fn unnamed(table: &str, key: &str, of_chunk: &str) -> String {
    format!(
        "from {table} t
         where t.fetched_at < $1
           and not exists (select from pull_data d where d.pulled_at >= $1 and d.{key} = t.{key})
           and t.{key} <> all(array(
               select unnest(c.{of_chunk}) from pull p join pull_chunk c on c.pull_id = p.id
               where p.status <> 'success' and c.merged_at is null and c.pulled_at >= $1))"
    )
}

impl Store {
    /// What is stored of such a table, and what of it may go.
    pub(super) async fn stored_unnamed(
        &self,
        table: &str,
        key: &str,
        of_chunk: &str,
        cutoff: Option<DateTime<Utc>>,
    ) -> Result<Stored, Error> {
        let cutoff = self.before_all_streams(cutoff).await?;
        let sql = format!(
            "/* unnamed::stored */
            select count(*) as rows, coalesce(sum(pg_column_size(a.*)), 0)::bigint as bytes, min(fetched_at) as oldest,
                   (select count(*) {}) as due
            from {table} a",
            unnamed(table, key, of_chunk)
        );
        let row = self.client().await?.query_one(&sql, &[&cutoff]).await?;
        Stored::from_row(&row)
    }

    /// Removes a batch of what may go; how many.
    pub(super) async fn delete_unnamed(
        &self,
        table: &str,
        key: &str,
        of_chunk: &str,
        cutoff: DateTime<Utc>,
    ) -> Result<u64, Error> {
        let cutoff = self.before_all_streams(Some(cutoff)).await?;
        let sql = format!(
            "/* unnamed::delete */
            with old as (select t.ctid {} limit $2 for update of t skip locked)
            delete from {table} t using old where t.ctid = old.ctid",
            unnamed(table, key, of_chunk)
        );
        Ok(self.client().await?.execute(&sql, &[&cutoff, &BATCH]).await?)
    }

    /// The cutoff, or the beginning of the oldest day of streams where that is earlier.
    async fn before_all_streams(
        &self,
        cutoff: Option<DateTime<Utc>>,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let mut oldest = Vec::new();
        for table in ["pull_data", "pull_chunk"] {
            oldest.extend(self.stored_days(table, None, false).await?.first().map(|day| day.from));
        }
        Ok(cutoff.map(|cutoff| oldest.into_iter().fold(cutoff, DateTime::min)))
    }
}
