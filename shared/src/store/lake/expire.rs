//! Old snapshots, and files that no snapshot has any more.

use chrono::{DateTime, Utc};

use super::commit::lock;
use crate::store::{Error, Store, column::Columns};

/// What an expiry did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Snapshots that can no longer be read.
    pub snapshots: i64,
    /// Files that no snapshot has any more: they leave storage after the grace time.
    pub files: i64,
}

/// A file that may leave storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removable {
    /// Its path from the lake's root.
    pub path: String,
}

impl Store {
    /// Ends the snapshots up to the last one from before `oldest`, but for the newest one, and notes the files that no other snapshot has. To make
    /// erased rows unreadable at once, `oldest` is now.
    pub async fn expire_lake_snapshots(
        &self,
        oldest: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Expired, Error> {
        let sql = "/* lake::expire */
            with expired as (
                delete from lake.ducklake_snapshot
                where snapshot_id <= (select max(snapshot_id) from lake.ducklake_snapshot where snapshot_time < $1)
                  and snapshot_id < (select max(snapshot_id) from lake.ducklake_snapshot)
                returning snapshot_id
            ), changes as (
                delete from lake.ducklake_snapshot_changes c using expired e where c.snapshot_id = e.snapshot_id
            ), kept as (
                select min(snapshot_id) as first from lake.ducklake_snapshot s
                where not exists (select from expired e where e.snapshot_id = s.snapshot_id)
            ), files as (
                delete from lake.ducklake_data_file f using kept where f.end_snapshot <= kept.first
                returning f.data_file_id, f.path
            ), stats as (
                delete from lake.ducklake_file_column_stats s using files where s.data_file_id = files.data_file_id
            ), scheduled as (
                insert into lake.ducklake_files_scheduled_for_deletion select data_file_id, path, true, $2 from files
            )
            select (select count(*) from expired) as snapshots, (select count(*) from files) as files";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        lock(&transaction).await?;
        let row = transaction.query_one(sql, &[&oldest, &now]).await?;
        let expired = Expired { snapshots: row.column("snapshots")?, files: row.column("files")? };
        transaction.commit().await?;
        Ok(expired)
    }

    /// Files that left the catalogue before `before`, and that nothing names since. They are removed by `remove`, which tells
    /// which it has removed; nobody changes the catalogue meanwhile.
    pub async fn remove_expired_lake_files<E: From<Error>>(
        &self,
        before: DateTime<Utc>,
        remove: impl AsyncFnOnce(Vec<Removable>) -> Result<Vec<String>, E>,
    ) -> Result<usize, E> {
        let list = "/* lake::removable */
            select path from lake.ducklake_files_scheduled_for_deletion d
            where schedule_start <= $1 and not exists (select from lake.ducklake_data_file f where f.path = d.path)
            order by path limit 1000";
        let forget = "/* lake::removed */
            delete from lake.ducklake_files_scheduled_for_deletion where path = any($1)";
        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(Error::from)?;
        lock(&transaction).await?;
        let rows = transaction.query(list, &[&before]).await.map_err(Error::from)?;
        let paths = rows.iter().map(|row| row.column("path").map(|path| Removable { path }));
        let paths: Vec<Removable> = paths.collect::<Result<_, _>>()?;
        if paths.is_empty() {
            return Ok(0);
        }
        let removed = remove(paths).await?;
        transaction.execute(forget, &[&removed]).await.map_err(Error::from)?;
        transaction.commit().await.map_err(Error::from)?;
        Ok(removed.len())
    }
}
