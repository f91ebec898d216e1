//! A change of the catalogue: files that enter it and files that leave it, as one snapshot.

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;
use tokio_postgres::types::{Json, ToSql};

use crate::{
    lake::LakeFile,
    store::{Error, Store, column::Columns},
};

/// A file in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueFile {
    /// Its number.
    pub id: i64,
    /// Its path from the lake's root.
    pub path: String,
    /// Bytes.
    pub bytes: i64,
    /// Rows.
    pub rows: i64,
}

/// Pulls whose rows are in new files from now on.
#[derive(Debug, Clone, Copy)]
pub struct Moved<'a> {
    /// The table.
    pub table: &'a str,
    /// Where their rows were.
    pub paths: &'a [String],
    /// Whether there is one new file, of one pull alone: otherwise it is a day's.
    pub alone: bool,
}

/// Every path that the catalogue knows, whichever snapshot has it, and those that are to be deleted, that begins with one of `$1`.
pub(super) const PATHS: &str = "with known as (
        select path from lake.ducklake_data_file union select path from lake.ducklake_files_scheduled_for_deletion)
    select path from known where exists (select from unnest($1::text[]) prefix where starts_with(path, prefix))";

/// Waits for everybody else who changes the catalogue, until the end of the transaction.
pub(super) async fn lock(transaction: &Transaction<'_>) -> Result<(), Error> {
    // As long as a commit takes, times the replicas of one program.
    let sql =
        "/* lake::lock */ set local lock_timeout = '30s'; select pg_advisory_xact_lock(hashtext('lake'))";
    Ok(transaction.batch_execute(sql).await?)
}

/// One snapshot in which the files numbered `ended` leave the catalogue and `added` enter it. The lock is held.
pub(super) async fn change(
    transaction: &Transaction<'_>,
    ended: &[i64],
    added: &[LakeFile],
    why: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "/* lake::change */
        with head as (
            select snapshot_id + 1 as snapshot, schema_version, next_catalog_id, next_file_id
            from lake.ducklake_snapshot order by snapshot_id desc limit 1
        ), added as (
            select f.*, place - 1 as place,
                   sum(record_count) over (partition by table_id order by place) - record_count as rows_before
            from jsonb_array_elements($2) with ordinality as element (file, place)
            cross join lateral jsonb_to_record(file) as f (
                table_id bigint, path text, record_count bigint, file_size_bytes bigint, footer_size bigint, sha256 text,
                columns jsonb)
        ), ended as (
            update lake.ducklake_data_file f set end_snapshot = snapshot
            from head where data_file_id = any($1) and end_snapshot is null
            returning table_id, record_count, file_size_bytes
        ), touched as (
            select table_id, sum(rows) as rows, sum(new_rows) as new_rows, sum(bytes) as bytes
            from (select table_id, record_count as rows, record_count as new_rows, file_size_bytes as bytes from added
                  union all select table_id, -record_count, 0, -file_size_bytes from ended) f
            group by table_id
        ), snapshot as (
            insert into lake.ducklake_snapshot
            select snapshot, $4, schema_version, next_catalog_id, next_file_id + (select count(*) from added) from head
        ), changes as (
            insert into lake.ducklake_snapshot_changes (snapshot_id, changes_made, commit_message)
            select snapshot, (
                select string_agg(change, ',' order by change) from (
                    select distinct 'inserted_into_table:' || table_id as change from added
                    union select distinct 'deleted_from_table:' || table_id from ended) c), $3
            from head
        ), files as (
            insert into lake.ducklake_data_file (data_file_id, table_id, begin_snapshot, path, path_is_relative, file_format,
                record_count, file_size_bytes, footer_size, row_id_start)
            select next_file_id + place, table_id, snapshot, path, true, 'parquet', a.record_count, a.file_size_bytes,
                   footer_size, s.next_row_id + rows_before
            from head, added a join lake.ducklake_table_stats s using (table_id)
        ), checksums as (
            insert into lake.checksum (data_file_id, sha256) select next_file_id + place, sha256 from head, added
        ), stats as (
            insert into lake.ducklake_file_column_stats
                (data_file_id, table_id, column_id, value_count, null_count, min_value, max_value)
            select next_file_id + place, table_id, column_id, value_count, null_count, min_value, max_value
            from head, added cross join lateral jsonb_to_recordset(columns) as c (
                column_id bigint, value_count bigint, null_count bigint, min_value text, max_value text)
        )
        update lake.ducklake_table_stats s
        set record_count = s.record_count + touched.rows, next_row_id = s.next_row_id + touched.new_rows,
            file_size_bytes = s.file_size_bytes + touched.bytes
        from touched where s.table_id = touched.table_id";
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &[&ended, &Json(added), &why, &now]).await?;
    Ok(())
}

impl Store {
    /// The files of a table that the newest snapshot has in this folder, or in its `hot/` one.
    pub async fn lake_files(&self, table_id: i64, folders: &[String]) -> Result<Vec<CatalogueFile>, Error> {
        let sql = "/* lake::files */
            select data_file_id, path, file_size_bytes, record_count from lake.ducklake_data_file
            where table_id = $1 and end_snapshot is null and (
                cardinality($2::text[]) = 0 or exists (select from unnest($2::text[]) folder where starts_with(path, folder)))
            order by data_file_id";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[&table_id, &folders]).await?;
        rows.iter()
            .map(|row| {
                Ok(CatalogueFile {
                    id: row.column("data_file_id")?,
                    path: row.column("path")?,
                    bytes: row.column("file_size_bytes")?,
                    rows: row.column("record_count")?,
                })
            })
            .collect()
    }

    /// Every file of a table that the newest snapshot has, once whoever is changing the catalogue just now has done so.
    pub async fn all_lake_files(&self, table_id: i64) -> Result<Vec<CatalogueFile>, Error> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        lock(&transaction).await?;
        transaction.commit().await?;
        drop(client);
        self.lake_files(table_id, &[]).await
    }

    /// The tables whose files have another number of rows than their pulls: name, rows in files, rows of pulls.
    pub async fn lake_miscounts(&self) -> Result<Vec<(String, i64, i64)>, Error> {
        let sql = "/* lake::miscounts */
            select * from (
                select table_name,
                       (select coalesce(sum(record_count), 0)::bigint from lake.ducklake_data_file f
                        where f.table_id = t.table_id and f.end_snapshot is null) as in_files,
                       (select coalesce(sum(record_count), 0)::bigint from lake.export e where e.table_name = t.table_name) as of_pulls
                from lake.ducklake_table t where t.end_snapshot is null) counted
            where in_files <> of_pulls order by table_name";
        let client = self.client().await?;
        let rows = client.query(sql, &[]).await?;
        rows.iter()
            .map(|row| Ok((row.column("table_name")?, row.column("in_files")?, row.column("of_pulls")?)))
            .collect()
    }

    /// Every path that begins with one of `prefixes` and that the catalogue knows, whichever snapshot has it, and those that are to be deleted.
    pub async fn lake_paths(&self, prefixes: &[String]) -> Result<Vec<String>, Error> {
        let sql = format!("/* lake::paths */ {PATHS}");
        let client = self.client().await?;
        let rows = client.query(&sql, &[&prefixes]).await?;
        rows.iter().map(|row| row.column("path")).collect()
    }

    /// Replaces files of the catalogue by others with the same rows, as many: a compaction, an erasure.
    ///
    /// # Errors
    /// [`Error::LakeMoved`] where one of `ended` is no longer in the newest snapshot; nothing is changed then.
    pub async fn replace_lake_files(
        &self,
        ended: &[i64],
        added: &[LakeFile],
        moved: Moved<'_>,
        why: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let mark = "/* lake::replace_files, mark */
            update lake.export set path = coalesce($3, path), sha256 = $4, file_size_bytes = $5
            where table_name = $1 and path = any($2)";
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        lock(&transaction).await?;
        expect_live(&transaction, ended).await?;
        change(&transaction, ended, added, why, now).await?;
        let first = added.first();
        let alone = first.filter(|_| moved.alone);
        let parameters: [&(dyn ToSql + Sync); 5] = [
            &moved.table,
            &moved.paths,
            &first.map(|file| &*file.path),
            &alone.map(|file| &*file.sha256),
            &alone.map(|file| file.file_size_bytes),
        ];
        transaction.execute(mark, &parameters).await?;
        super::manifest::refresh(&transaction).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Fails where a file is not in the newest snapshot.
pub(super) async fn expect_live(transaction: &Transaction<'_>, files: &[i64]) -> Result<(), Error> {
    if files.is_empty() {
        return Ok(());
    }
    let sql = "/* lake::expect_live */
        select count(*) as live from lake.ducklake_data_file where data_file_id = any($1) and end_snapshot is null";
    let live: i64 = transaction.query_one(sql, &[&files]).await?.column("live")?;
    if usize::try_from(live) == Ok(files.len()) { Ok(()) } else { Err(Error::LakeMoved) }
}
