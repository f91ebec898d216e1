//! A file of the lake, as the catalogue knows it.

use serde::Serialize;

use super::{Row, Table, Value};

/// A file that is in storage, or about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LakeFile {
    /// Its table's id.
    pub table_id: i64,
    /// Its path from the lake's root.
    pub path: String,
    /// Rows.
    pub record_count: i64,
    /// Bytes.
    pub file_size_bytes: i64,
    /// Bytes of its footer.
    pub footer_size: i64,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// What its columns hold.
    pub columns: Vec<ColumnStats>,
}

/// What a column of a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnStats {
    /// The column.
    pub column_id: i32,
    /// Values that are not null.
    pub value_count: i64,
    /// Nulls.
    pub null_count: i64,
    /// A lower bound; none where it would be of no use.
    pub min_value: Option<String>,
    /// An upper bound.
    pub max_value: Option<String>,
}

/// Collects what the columns of a file hold, row by row.
#[derive(Debug)]
pub struct StatsBuilder {
    columns: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    id: i32,
    values: i64,
    nulls: i64,
    bounds: Option<(Value, Value)>,
}

impl StatsBuilder {
    /// For files of this table.
    pub fn new(table: &Table) -> Self {
        let columns = table.columns.iter();
        Self {
            columns: columns
                .map(|column| Seen { id: column.id, values: 0, nulls: 0, bounds: None })
                .collect(),
        }
    }

    /// One more row.
    pub fn add(&mut self, row: &Row) {
        for (seen, value) in self.columns.iter_mut().zip(row) {
            match value {
                Value::Null => seen.nulls += 1,
                Value::Texts(_) => seen.values += 1,
                value => {
                    seen.values += 1;
                    match &mut seen.bounds {
                        None => seen.bounds = Some((value.clone(), value.clone())),
                        Some((min, _)) if value < min => *min = value.clone(),
                        Some((_, max)) if value > max => *max = value.clone(),
                        Some(_) => {}
                    }
                }
            }
        }
    }

    /// What was seen.
    pub fn finish(self) -> Vec<ColumnStats> {
        let stats = self.columns.into_iter().map(|seen| {
            let bounds = seen.bounds.and_then(|(min, max)| Some((min.bound()?, max.bound()?)));
            let (min_value, max_value) = bounds.unzip();
            ColumnStats {
                column_id: seen.id,
                value_count: seen.values,
                null_count: seen.nulls,
                min_value,
                max_value,
            }
        });
        stats.collect()
    }
}
