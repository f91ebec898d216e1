//! Rows that are past their time: counted, and deleted a bounded batch at a time.
//!
//! A batch is a transaction of its own and passes over rows that somebody has locked, so nobody waits for it for long.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::{
    super::{Error, Store, column::Columns, dead_letter::lock_dead_letter_tables},
    class::Place,
};

/// Most rows removed by one transaction.
pub(super) const BATCH: i64 = 1_000;

/// What is stored of a class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Rows, or pages.
    pub rows: i64,
    /// Their size, in bytes.
    pub bytes: i64,
    /// The oldest.
    pub oldest: Option<DateTime<Utc>>,
    /// Rows that are past their time.
    pub due: i64,
}

impl Stored {
    /// From the columns `rows`, `bytes`, `oldest` and `due`.
    pub(super) fn from_row(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            rows: row.column("rows")?,
            bytes: row.column("bytes")?,
            oldest: row.column("oldest")?,
            due: row.column("due")?,
        })
    }
}

/// Dead letters that may go: closed for long enough, and not the origin of one that stays.
const CLOSED: &str = "d.state not in ('dead', 'held', 'replaying', 'replayed')
    and not exists (select from dead_letter back where back.replay_of = d.id)";

/// Whether a row has any of these columns.
fn any_of(names: &[&str]) -> String {
    let there: Vec<String> = names.iter().map(|name| format!("{name} is not null")).collect();
    format!("({})", there.join(" or "))
}

impl Store {
    /// What is stored at a place, and what of it is older than `cutoff`. Days are counted from what their pulls say.
    pub async fn stored_at(&self, place: &Place, cutoff: Option<DateTime<Utc>>) -> Result<Stored, Error> {
        let count = |from: &str, size: &str, at: &str, only: &str| {
            format!(
                "/* rows::stored */
                select count(*) as rows, coalesce(sum({size}), 0)::bigint as bytes, min({at}) as oldest,
                       count(*) filter (where {at} < $1) as due
                from {from} where {only}"
            )
        };
        let sql = match place {
            Place::Days { counted, .. } => format!(
                "/* rows::counted */
                select coalesce(sum({counted}), 0)::bigint as rows, 0::bigint as bytes, min(started_at) as oldest,
                       0::bigint as due
                from pull where {counted} > 0 and started_at >= coalesce($1::timestamptz, '-infinity')"
            ),
            Place::Rows { table, at, only } => count(&format!("{table} t"), "pg_column_size(t.*)", at, only),
            Place::RowsOfDays { table, at } => count(&format!("{table} t"), "pg_column_size(t.*)", at, "true"),
            Place::Columns { names, only } => {
                let sizes: Vec<String> =
                    names.iter().map(|name| format!("coalesce(pg_column_size({name}), 0)")).collect();
                let only = format!("{only} and {}", any_of(names));
                count("pull_chunk", &sizes.join(" + "), "pulled_at", &only)
            }
            Place::Unnamed { table, key, of_chunk } => {
                return self.stored_unnamed(table, key, of_chunk, cutoff).await;
            }
            Place::DeadLetters => count(
                "dead_letter d",
                "pg_column_size(d.*)",
                "d.state_at",
                "d.state not in ('dead', 'held', 'replaying', 'replayed')",
            ),
            // The newest one stays; one is due when the next has been there for long enough, too.
            Place::LakeSnapshots => "/* rows::lake_snapshots */
                select count(*) as rows, min(snapshot_time) as oldest,
                       greatest(count(*) filter (where snapshot_time < $1), 0)
                           - (coalesce(max(snapshot_time) < $1, false))::int as due,
                       (select coalesce(sum(file_size_bytes), 0)::bigint from lake.ducklake_data_file
                        where end_snapshot is not null) as bytes
                from lake.ducklake_snapshot"
                .to_owned(),
        };
        let row = self.client().await?.query_one(&sql, &[&cutoff]).await?;
        Stored::from_row(&row)
    }

    /// Removes a batch of what is older than `cutoff`. Returns how many rows were removed, and whether there may be more.
    pub async fn remove_batch(&self, place: &Place, cutoff: DateTime<Utc>) -> Result<(i64, bool), Error> {
        let removed = match place {
            // Days leave as a whole, and snapshots at once.
            Place::Days { .. } | Place::LakeSnapshots => 0,
            Place::Unnamed { table, key, of_chunk } => {
                self.delete_unnamed(table, key, of_chunk, cutoff).await?
            }
            Place::Rows { table, at, only } => self.delete_rows(table, at, only, cutoff).await?,
            Place::RowsOfDays { table, at } => self.delete_rows(table, at, "true", cutoff).await?,
            Place::Columns { names, only } => {
                let emptied: Vec<String> = names.iter().map(|name| format!("{name} = null")).collect();
                let sql = format!(
                    "/* rows::empty */
                    with old as (
                        select pull_id, pulled_at, chunk from pull_chunk
                        where pulled_at < $1 and {only} and {} limit $2 for no key update skip locked)
                    update pull_chunk c set {} from old
                    where c.pulled_at < $1 and c.pulled_at = old.pulled_at and c.pull_id = old.pull_id
                      and c.chunk = old.chunk",
                    any_of(names),
                    emptied.join(", ")
                );
                self.client().await?.execute(&sql, &[&cutoff, &BATCH]).await?
            }
            Place::DeadLetters => self.delete_dead_letters(cutoff).await?,
        };
        let removed = i64::try_from(removed).unwrap_or(i64::MAX);
        Ok((removed, removed == BATCH || (removed > 0 && matches!(place, Place::DeadLetters))))
    }

    async fn delete_rows(
        &self,
        table: &str,
        at: &str,
        only: &str,
        cutoff: DateTime<Utc>,
    ) -> Result<u64, Error> {
        let sql = format!(
            "/* rows::delete */
            with old as (
                select tableoid as part, ctid from {table} where {only} and {at} < $1
                limit $2 for update skip locked)
            delete from {table} t using old where t.tableoid = old.part and t.ctid = old.ctid"
        );
        Ok(self.client().await?.execute(&sql, &[&cutoff, &BATCH]).await?)
    }

    /// Deletes closed dead letters with all that refers to them, and replays that are left without any.
    async fn delete_dead_letters(&self, cutoff: DateTime<Utc>) -> Result<u64, Error> {
        let choose = format!(
            "/* rows::old_dead_letters */
            select d.id from dead_letter d where {CLOSED} and d.state_at < $1 order by d.id limit $2"
        );
        let events = "/* rows::delete_events */ delete from dead_letter_event where letter_id = any($1)";
        let replayed = "/* rows::delete_replayed */ delete from replay_letter where letter_id = any($1)";
        let dead_letters = "/* rows::delete_dead_letters */ delete from dead_letter where id = any($1)";
        let replays = "/* rows::delete_replays */
            delete from replay r where r.ended_at < $1
              and not exists (select from replay_letter l where l.replay_id = r.id)";
        let mut client = self.client().await?;
        let transaction = lock_dead_letter_tables(&mut client).await?;
        let rows = transaction.query(&choose, &[&cutoff, &BATCH]).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.column("id")).collect::<Result<_, _>>()?;
        for statement in [events, replayed] {
            transaction.execute(statement, &[&ids]).await?;
        }
        let deleted = transaction.execute(dead_letters, &[&ids]).await?;
        transaction.execute(replays, &[&cutoff]).await?;
        transaction.commit().await?;
        Ok(deleted)
    }
}
