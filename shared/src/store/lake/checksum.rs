//! Table `lake.checksum`: the SHA-256 of each file.

use super::commit::CatalogueFile;
use crate::store::{Error, Store, column::Columns};

impl Store {
    /// The files of the newest snapshot, each with its SHA-256, hexadecimal; none where a build that did not note it has written it.
    pub async fn lake_inventory(&self) -> Result<Vec<(CatalogueFile, Option<String>)>, Error> {
        let sql = "/* lake::inventory */
            select data_file_id, path, file_size_bytes, record_count, sha256
            from lake.ducklake_data_file f left join lake.checksum c using (data_file_id)
            where end_snapshot is null order by path, data_file_id";
        let client = self.client().await?;
        let rows = client.query(sql, &[]).await?;
        rows.iter()
            .map(|row| {
                let file = CatalogueFile {
                    id: row.column("data_file_id")?,
                    path: row.column("path")?,
                    bytes: row.column("file_size_bytes")?,
                    rows: row.column("record_count")?,
                };
                Ok((file, row.column("sha256")?))
            })
            .collect()
    }

    /// Notes the SHA-256 of a file that has none yet, and is still there.
    pub async fn note_lake_checksum(&self, file: i64, sha256: &str) -> Result<(), Error> {
        let sql = "/* lake::note_checksum */
            insert into lake.checksum (data_file_id, sha256)
            select data_file_id, $2 from lake.ducklake_data_file where data_file_id = $1
            on conflict do nothing";
        self.client().await?.execute(sql, &[&file, &sha256]).await?;
        Ok(())
    }
}
