//! Rows out of files and into new ones: how days are compacted, how a pull is replaced in one, and how rows are erased.

use std::{fs::File, io::Write};

use chrono::{DateTime, Utc};
use shared::{
    failure::Failure,
    lake::{LakeFile, Row, Table},
    store::CatalogueFile,
};

use crate::{
    blocking::blocking,
    format::{Encoded, FormatError, merge},
    lake::Lake,
};

/// Bytes after which the next file of a day begins: below the 256 MiB that readers like, and what is held in memory.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// Writes the rows of files that `keep` keeps, and those of `more`, to files of a new generation, whose paths begin with `stem`.
/// They are in storage then, and in no catalogue: whoever calls this commits them.
pub(crate) async fn rewrite(
    lake: &Lake,
    table: &'static Table,
    stem: &str,
    files: &[CatalogueFile],
    more: Option<Encoded>,
    keep: impl Fn(&Row) -> bool + Send + 'static,
    now: DateTime<Utc>,
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
    let taken = lake.store.lake_paths(&[stem.to_owned()]).await?;
    let mut placed = Vec::with_capacity(merged.len());
    for (part, encoded) in merged.into_iter().enumerate() {
        let part = if part == 0 { String::new() } else { format!("-{}", part + 1) };
        placed.push(
            lake.place(
                table,
                |generation| format!("{stem}-g{generation}{part}.parquet"),
                encoded,
                &taken,
                now,
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
