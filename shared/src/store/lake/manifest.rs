//! Table `lake.manifest`: what each folder's `_manifest.json` says, in the form that Redshift's COPY reads.

use deadpool_postgres::Transaction;

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
    /// The manifests whose newest content is not in storage.
    pub async fn unwritten_manifests(&self) -> Result<Vec<Manifest>, Error> {
        let sql = "/* lake::unwritten_manifests */ select folder, content from lake.manifest where not written order by folder";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[]).await?;
        rows.iter()
            .map(|row| Ok(Manifest { folder: row.column("folder")?, content: row.column("content")? }))
            .collect()
    }

    /// Every folder's manifest.
    pub async fn lake_manifests(&self) -> Result<Vec<Manifest>, Error> {
        let sql = "/* lake::manifests */ select folder, content from lake.manifest order by folder";
        let client = self.client().await?;
        let rows = client.query(sql, &[]).await?;
        rows.iter()
            .map(|row| Ok(Manifest { folder: row.column("folder")?, content: row.column("content")? }))
            .collect()
    }

    /// The manifest of a folder, as it is or will be in storage.
    pub async fn lake_manifest(&self, folder: &str) -> Result<Option<Manifest>, Error> {
        let sql = "/* lake::manifest */ select folder, content from lake.manifest where folder = $1";
        let client = self.client().await?;
        let row = client.query_opt(sql, &[&folder]).await?;
        row.map(|row| Ok(Manifest { folder: row.column("folder")?, content: row.column("content")? }))
            .transpose()
    }

    /// Notes that these manifests are in storage, unless they have changed since.
    pub async fn manifests_written(&self, manifests: &[Manifest]) -> Result<(), Error> {
        let sql = "/* lake::manifests_written */
            update lake.manifest m set written = true
            from unnest($1::text[], $2::text[]) as w (folder, content)
            where m.folder = w.folder and m.content = w.content";
        let folders: Vec<&str> = manifests.iter().map(|manifest| &*manifest.folder).collect();
        let contents: Vec<&str> = manifests.iter().map(|manifest| &*manifest.content).collect();
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, &[&folders, &contents]).await?;
        Ok(())
    }
}
