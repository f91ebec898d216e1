//! How the lake is, as its catalogue tells; and which days are to be compacted.

use chrono::{DateTime, NaiveDate, Utc};

use super::export::{DISCARDED, LACKED, WITH_ROWS};
use crate::store::{Error, Store, column::Columns};

/// How the lake is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeStatus {
    /// Where the files are; none before the first exporter ran.
    pub root: Option<String>,
    /// Whether the catalogue came with a copy of the database whose it is: no exporter of this one writes it.
    pub copied: bool,
    /// The newest snapshot, and when it was made.
    pub snapshot: (i64, DateTime<Utc>),
    /// The oldest snapshot that can still be read.
    pub oldest: (i64, DateTime<Utc>),
    /// Pulls in the lake.
    pub pulls: i64,
    /// Completed pulls that the lake has not as they are, and is to have.
    pub missing: i64,
    /// When the oldest of them was complete.
    pub missing_since: Option<DateTime<Utc>>,
    /// Completed pulls that the lake has not and will not have: their dead letter was discarded, or their rows are gone.
    pub left_out: i64,
    /// Files that left the catalogue and are still in storage.
    pub to_be_removed: i64,
    /// Days that are over and cannot be compacted yet, and the pulls for which each waits: those that have not come to their end, or
    /// that the lake has not as they are.
    pub waiting_days: Vec<(NaiveDate, Vec<i64>)>,
    /// Each table.
    pub tables: Vec<TableStatus>,
}

/// How a table of the lake is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStatus {
    /// Its name.
    pub name: String,
    /// Rows.
    pub rows: i64,
    /// Files.
    pub files: i64,
    /// Files that are one per pull: their days are not compacted yet.
    pub hot_files: i64,
    /// Bytes.
    pub bytes: i64,
}

/// Whether a pull `p` keeps the day of an export `e` from being compacted.
fn undone() -> String {
    format!(
        "p.started_at >= (e.day::timestamp at time zone 'UTC') and p.started_at < ((e.day + 1)::timestamp at time zone 'UTC')
         and (p.status not in ('success', 'failed') or {})",
        wanted()
    )
}

/// Whether a pull `p` is complete, and the lake has it not as it is and is to have it.
fn wanted() -> String {
    format!("{LACKED} and {WITH_ROWS} and not {DISCARDED}")
}

impl Store {
    /// How the lake is. Days before `today` are over.
    pub async fn lake_status(&self, today: NaiveDate) -> Result<LakeStatus, Error> {
        let sql = format!(
            "/* lake::status */
            select (select value from lake.ducklake_metadata where key = 'data_path') as root,
                   exists (select from lake.home where database <> lake.this_database()) as copied,
                   newest.snapshot_id as newest, newest.snapshot_time as newest_at,
                   oldest.snapshot_id as oldest, oldest.snapshot_time as oldest_at,
                   (select count(distinct pull_id) from lake.export) as pulls, missing.pulls as missing, missing.since,
                   missing.left_out,
                   (select count(*) from lake.ducklake_files_scheduled_for_deletion) as to_be_removed
            from (select * from lake.ducklake_snapshot order by snapshot_id desc limit 1) newest,
                 (select * from lake.ducklake_snapshot order by snapshot_id limit 1) oldest,
                 (select count(*) filter (where wanted) as pulls, min(completed_at) filter (where wanted) as since,
                         count(*) filter (where not wanted) as left_out
                  from (select completed_at, {} as wanted from pull p where {LACKED}) lacked) missing",
            wanted()
        );
        let tables = "/* lake::table_status */
            select t.table_name, coalesce(sum(f.record_count), 0)::bigint as rows, count(f.path) as files,
                   count(f.path) filter (where starts_with(f.path, 'hot/')) as hot_files,
                   coalesce(sum(f.file_size_bytes), 0)::bigint as bytes
            from lake.ducklake_table t
            left join lake.ducklake_data_file f on f.table_id = t.table_id and f.end_snapshot is null
            where t.end_snapshot is null group by t.table_id, t.table_name order by t.table_id";
        let client = self.client().await?;
        let row = client.query_one(&sql, &[]).await?;
        let mut status = LakeStatus {
            root: row.column("root")?,
            copied: row.column("copied")?,
            snapshot: (row.column("newest")?, row.column("newest_at")?),
            oldest: (row.column("oldest")?, row.column("oldest_at")?),
            pulls: row.column("pulls")?,
            missing: row.column("missing")?,
            missing_since: row.column("since")?,
            left_out: row.column("left_out")?,
            to_be_removed: row.column("to_be_removed")?,
            waiting_days: Vec::new(),
            tables: Vec::new(),
        };
        let waiting = format!(
            "/* lake::waiting_days */
            select day, array_agg(p.id order by p.id) as pulls
            from (select distinct day from lake.export where day < $1 and sha256 is not null) e join pull p on {}
            group by day order by day",
            undone()
        );
        for row in client.query(&waiting, &[&today]).await? {
            status.waiting_days.push((row.column("day")?, row.column("pulls")?));
        }
        for row in client.query(tables, &[]).await? {
            status.tables.push(TableStatus {
                name: row.column("table_name")?,
                rows: row.column("rows")?,
                files: row.column("files")?,
                hot_files: row.column("hot_files")?,
                bytes: row.column("bytes")?,
            });
        }
        Ok(status)
    }

    /// The days before `today` that still have a file per pull, and whose pulls have all come to their end and are in the lake.
    pub async fn days_to_compact(&self, today: NaiveDate) -> Result<Vec<NaiveDate>, Error> {
        let sql = format!(
            "/* lake::days_to_compact */
            select distinct day from lake.export e
            where day < $1 and sha256 is not null and not exists (select from pull p where {})
            order by day",
            undone()
        );
        let client = self.client().await?;
        client.query(&sql, &[&today]).await?.iter().map(|row| row.column("day")).collect()
    }
}
