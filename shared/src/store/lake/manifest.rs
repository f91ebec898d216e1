//! Table `lake.manifest`: what each folder's `_manifest.json` says, in the form that Redshift's COPY reads.

use deadpool_postgres::Transaction;
use tokio_postgres::Row;

use crate::store::{Error, Store, column::Columns};

/// A manifest that is to be written to storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The folder, from the lake's root; ends with a slash.
    pub folder: String,
    /// JSON.
    pub content: String,
}

/// Brings the manifests of the folders up to date whose files the newest snapshot has changed.
pub(super) async fn refresh(transaction: &Transaction<'_>) -> Result<(), Error> {
    let sql = "/* lake::refresh_manifests */
        with newest as (select max(snapshot_id) as snapshot from lake.ducklake_snapshot),
        touched as (
            select distinct regexp_replace(path, '[^/]+$', '') as folder from lake.ducklake_data_file, newest
            where begin_snapshot = snapshot or end_snapshot = snapshot
        ), root as (select value from lake.ducklake_metadata where key = 'data_path'),
        now as (
            select folder, json_build_object('entries', coalesce((
                select json_agg(json_build_object('url', value || path, 'mandatory', true,
                                                  'meta', json_build_object('content_length', file_size_bytes)) order by path)
                from lake.ducklake_data_file f, root
                where f.end_snapshot is null and starts_with(f.path, folder)), '[]'))::text as content
            from touched
        )
        insert into lake.manifest (folder, content) select folder, content from now
        on conflict (folder) do update set content = excluded.content, written = false
        where manifest.content <> excluded.content";
    let statement = transaction.prepare_cached(sql).await?;
    transaction.execute(&statement, &[]).await?;
    Ok(())
}

impl Store {
    /// Has `write` put the manifests into storage whose newest content is not there. One writer at a time: of two, the slower could
    /// put an older content over a newer one, which would stay.
    pub async fn write_lake_manifests<E: From<Error>>(
        &self,
        write: impl AsyncFnOnce(Vec<Manifest>) -> Result<(), E>,
    ) -> Result<(), E> {
        let patient = "/* lake::manifest_lock */ set local lock_timeout = '50s'; set local idle_in_transaction_session_timeout = '10min';
            select pg_advisory_xact_lock(hashtext('lake'), hashtext('manifests'))";
        let unwritten = "/* lake::unwritten_manifests */
            select folder, content from lake.manifest where not written order by folder";
        // They may have changed since.
        let written = "/* lake::manifests_written */
            update lake.manifest m set written = true
            from unnest($1::text[], $2::text[]) as w (folder, content)
            where m.folder = w.folder and m.content = w.content";
        let mut client = self.client().await?;
        let transaction = client.transaction().await.map_err(Error::from)?;
        transaction.batch_execute(patient).await.map_err(Error::from)?;
        let manifests = read(&transaction.query(unwritten, &[]).await.map_err(Error::from)?)?;
        if manifests.is_empty() {
            return Ok(());
        }
        let (folders, contents): (Vec<String>, Vec<String>) =
            manifests.iter().map(|manifest| (manifest.folder.clone(), manifest.content.clone())).unzip();
        write(manifests).await?;
        transaction.execute(written, &[&folders, &contents]).await.map_err(Error::from)?;
        Ok(transaction.commit().await.map_err(Error::from)?)
    }

    /// Has these folders' manifests written once more.
    pub async fn rewrite_lake_manifests(&self, folders: &[String]) -> Result<(), Error> {
        let sql =
            "/* lake::rewrite_manifests */ update lake.manifest set written = false where folder = any($1)";
        self.client().await?.execute(sql, &[&folders]).await?;
        Ok(())
    }

    /// Every folder's manifest.
    pub async fn lake_manifests(&self) -> Result<Vec<Manifest>, Error> {
        let sql = "/* lake::manifests */ select folder, content from lake.manifest order by folder";
        let client = self.client().await?;
        read(&client.query(sql, &[]).await?)
    }

    /// The manifest of a folder, as it is or will be in storage.
    pub async fn lake_manifest(&self, folder: &str) -> Result<Option<Manifest>, Error> {
        let sql = "/* lake::manifest */ select folder, content from lake.manifest where folder = $1";
        let client = self.client().await?;
        Ok(read(&client.query(sql, &[&folder]).await?)?.pop())
    }
}

fn read(rows: &[Row]) -> Result<Vec<Manifest>, Error> {
    let manifest =
        |row: &Row| Ok(Manifest { folder: row.column("folder")?, content: row.column("content")? });
    rows.iter().map(manifest).collect()
}
