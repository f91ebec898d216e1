//! The lake as its files are: read by our own reader, without a catalogue.

use std::path::Path;

use exporter::format;
use shared::lake::{Row, Table};

use crate::rig::Rig;

/// Every Parquet file below a folder, by its path from it, sorted.
pub(super) fn files(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(folder, &mut found);
    let name = |path: &Path| path.strip_prefix(folder).expect("below").to_string_lossy().into_owned();
    let mut names: Vec<String> =
        found.iter().map(|path| name(path)).filter(|name| name.ends_with(".parquet")).collect();
    names.sort();
    names
}

/// The rows of a file.
pub(super) fn rows(folder: &Path, file: &str, table: &str) -> Vec<Row> {
    let table = Table::find(table).expect("a table");
    let file = std::fs::File::open(folder.join(file)).expect("a file");
    format::rows(table, file).expect("Parquet").collect::<Result<_, _>>().expect("rows")
}

/// SHA-256, hexadecimal, as PostgreSQL has it.
pub(super) async fn sha256(rig: &Rig, bytes: &[u8]) -> String {
    let sql = "select encode(sha256($1), 'hex') as sum";
    rig.db.query_one(sql, &[&bytes]).await.expect("a sum").get("sum")
}
