//! Closed days: the files of their pulls become one per table, sorted by channel, then time.

use std::{fs::File, io::Write};

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use shared::{
    failure::Failure,
    lake::{LakeFile, Row, TABLES, Table, folder},
    store::CatalogueFile,
};

use crate::{
    export::{Lake, blocking},
    format::{Encoded, FormatError, merge},
};

/// Bytes after which the next file of a day begins: below the 256 MiB that readers like, and what is held in memory.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// What a compaction did for one table and day.
#[derive(Debug, Serialize)]
pub struct Compacted {
    /// The table.
    pub table: &'static str,
    /// The day.
    pub day: NaiveDate,
    /// Files before.
    pub before: usize,
    /// Files after.
    pub after: usize,
    /// Rows.
    pub rows: i64,
}

impl Lake {
    /// Compacts one table of a day; none where there is nothing to do. The files of before stay for older snapshots.
    pub async fn compact(
        &self,
        table: &'static Table,
        day: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Option<Compacted>, Failure> {
        let hot = folder(table.name, day, false);
        let files = self.store.lake_files(table.id, &[hot.clone(), folder(table.name, day, true)]).await?;
        if !files.iter().any(|file| file.path.starts_with(&hot)) {
            return Ok(None);
        }
        let added = rewrite(self, table, day, &files, None, |_| true).await?;
        let rows: i64 = added.iter().map(|file| file.record_count).sum();
        let expected: i64 = files.iter().map(|file| file.rows).sum();
        if rows != expected {
            let words = format!("{} of {day} had {expected} rows and would have {rows}", table.name);
            return Err(Failure::permanent("lake.rows_lost", words));
        }
        let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        let ended: Vec<i64> = files.iter().map(|file| file.id).collect();
        let why = format!("compaction of {day}");
        self.store.replace_lake_files(&ended, &added, Some((table.name, &paths)), &why, now).await?;
        self.write_manifests().await?;
        Ok(Some(Compacted { table: table.name, day, before: files.len(), after: added.len(), rows }))
    }

    /// Compacts every closed day that is complete in the lake.
    pub async fn compact_closed_days(&self, now: DateTime<Utc>) -> Result<Vec<Compacted>, Failure> {
        self.storage.probe().await?;
        let mut done = Vec::new();
        for day in self.store.days_to_compact(now.date_naive()).await? {
            for table in &TABLES {
                done.extend(self.compact(table, day, now).await?);
            }
            tracing::info!(%day, "the lake's files of {day} are compacted");
        }
        Ok(done)
    }
}

/// Writes the rows of files that `keep` keeps, and those of `more`, to the day's folder as files of a new generation. They are
/// in storage then, and in no catalogue: whoever calls this commits them. Also how rows are erased.
pub async fn rewrite(
    lake: &Lake,
    table: &'static Table,
    day: NaiveDate,
    files: &[CatalogueFile],
    more: Option<Encoded>,
    keep: impl Fn(&Row) -> bool + Send + 'static,
) -> Result<Vec<LakeFile>, Failure> {
    let mut sources = Vec::with_capacity(files.len() + 1);
    for file in files {
        let bytes = lake.storage.read(&file.path).await?;
        sources.push(blocking(move || set_aside(&bytes)).await?.map_err(FormatError::from)?);
    }
    let merged = blocking(move || {
        let old = merge(table, sources, MOST_BYTES, keep)?;
        let Some(more) = more else { return Ok(old) };
        let mut both = old.iter().map(|file| set_aside(&file.bytes)).collect::<Result<Vec<_>, _>>()?;
        drop(old);
        both.push(set_aside(&more.bytes)?);
        merge(table, both, MOST_BYTES, |_| true)
    });
    let merged: Vec<Encoded> = merged.await??;
    let folder = folder(table.name, day, true);
    let taken = lake.store.lake_paths(&[folder.clone()]).await?;
    let mut placed = Vec::with_capacity(merged.len());
    for (part, encoded) in merged.into_iter().enumerate() {
        let part = if part == 0 { String::new() } else { format!("-{}", part + 1) };
        placed.push(
            lake.place(
                table,
                |generation| format!("{folder}day-g{generation}{part}.parquet"),
                encoded,
                &taken,
            )
            .await?,
        );
    }
    Ok(placed)
}

/// A file without a name, so that memory holds a page of it and not all.
fn set_aside(bytes: &[u8]) -> Result<File, std::io::Error> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    Ok(file)
}
