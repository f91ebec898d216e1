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

    /// Paths of files that left the catalogue before `before`, and that nothing names since: at most 1,000. Nobody gives such a name
    /// again before it is forgotten.
    pub async fn removable_lake_files(&self, before: DateTime<Utc>) -> Result<Vec<String>, Error> {
        let sql = "/* lake::removable */
            select path from lake.ducklake_files_scheduled_for_deletion d
            where schedule_start <= $1 and not exists (select from lake.ducklake_data_file f where f.path = d.path)
            order by path limit 1000";
        let client = self.client().await?;
        client.query(sql, &[&before]).await?.iter().map(|row| row.column("path")).collect()
    }

    /// Forgets files that have left storage.
    pub async fn forget_lake_files(&self, paths: &[String]) -> Result<(), Error> {
        let sql = "/* lake::removed */
            delete from lake.ducklake_files_scheduled_for_deletion where path = any($1)";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        lock(&transaction).await?;
        transaction.execute(sql, &[&paths]).await?;
        Ok(transaction.commit().await?)
    }
}
