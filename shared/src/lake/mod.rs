//! What the lake holds: its tables and columns, once, as data. From them come the Parquet schema, the catalogue's rows and
//! comments, Redshift's DDL and the dictionary.
//!
//! Knows no SQL statement, no Parquet and no storage.

mod column;
mod erasure;
mod file;
pub mod redshift;
mod scrub;
mod table;
mod value;

pub use column::{Column, Kind};
pub use erasure::{FoundInLake, LakeErasure};
pub use file::{ColumnStats, LakeFile, StatsBuilder};
pub use table::{TABLES, Table};
pub use value::{Row, Value};

/// The name of each folder's manifest. Readers of plain folders pass over what begins with `_`.
pub const MANIFEST: &str = "_manifest.json";

/// The folder of one day's files that are still one per pull; `closed` days are in a folder of their own.
pub fn folder(table: &str, day: chrono::NaiveDate, closed: bool) -> String {
    let hot = if closed { "" } else { "hot/" };
    format!("{hot}{table}/day={day}/")
}
