//! Rows as Parquet, and back.
//!
//! The same rows give the same bytes: their order is the caller's, the writer's settings are all here, and nothing of a clock,
//! a host or a build goes into a file.

mod group;
mod read;
mod schema;
mod write;

pub use read::{merge, rows, search};
pub(crate) use write::PAGE;
pub use write::{Encoded, FileBuilder};

/// Why rows cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A value is missing, or of another kind than its column's.
    #[error("column {column} of {table} cannot be {found}")]
    Value {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What kind of value was found.
        found: &'static str,
    },
    /// The library refuses.
    #[error("a Parquet file cannot be written or read")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// A temporary file failed.
    #[error("a temporary file cannot be written or read")]
    Temporary(#[from] std::io::Error),
}

impl From<FormatError> for shared::failure::Failure {
    fn from(error: FormatError) -> Self {
        use shared::failure::Class;
        let (class, code) = match &error {
            FormatError::Value { .. } => (Class::Permanent, "lake.value"),
            FormatError::Parquet(_) => (Class::Permanent, "lake.parquet"),
            FormatError::Temporary(_) => (Class::Outage, "lake.temporary_file"),
        };
        Self::of(class, code, &error)
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, io::Write};

    use bytes::Bytes;
    use shared::lake::{Column, Kind, Row, Table, Value};

    use super::*;

    const fn column(id: i32, name: &'static str, kind: Kind, nullable: bool) -> Column {
        Column { id, name, kind, nullable, comment: "" }
    }

    const OLD: [Column; 4] = [
        column(1, "id", Kind::Int64, false),
        column(2, "name", Kind::Text(9), true),
        column(3, "tags", Kind::Texts(4), false),
        column(5, "at_time", Kind::Time, false),
    ];
    const NEW: [Column; 6] = [
        OLD[0],
        OLD[1],
        OLD[2],
        OLD[3],
        column(6, "viewers", Kind::Int32, true),
        column(7, "good", Kind::Boolean, true),
    ];
    static OLD_TABLE: Table = Table { id: 1, name: "t", comment: "", columns: &OLD, sorted_by: &["id"] };
    static NEW_TABLE: Table = Table { id: 1, name: "t", comment: "", columns: &NEW, sorted_by: &["id"] };

    fn row(id: i64) -> Row {
        let tags = (0..id % 3).map(|tag| format!("tag {tag}")).collect();
        let name = if id % 2 == 0 { Value::Null } else { Value::Text(format!("ż{id}")) };
        let time = chrono::DateTime::from_timestamp_micros(1_700_000_000_000_000 + id).expect("a time");
        vec![Value::Int(id), name, Value::Texts(tags), Value::Time(time)]
    }

    fn read(table: &'static Table, bytes: Vec<u8>) -> Vec<Row> {
        rows(table, Bytes::from(bytes)).expect("Parquet").collect::<Result<_, _>>().expect("rows")
    }

    #[test]
    fn what_is_written_is_read_over_the_bounds_of_pages_and_row_groups() {
        let written: Vec<Row> = (0..33_000).map(row).collect();
        let file = FileBuilder::encode(&OLD_TABLE, written.clone()).expect("written");
        let mut again = FileBuilder::new(&OLD_TABLE).expect("a file");
        written.chunks(777).try_for_each(|some| again.push_all(some.to_vec())).expect("written");
        let again = again.finish().expect("written");
        assert!(file.bytes == again.bytes, "the same rows are the same bytes, however they come");
        assert_eq!(file.rows, 33_000);
        let bounds = &file.columns[0];
        assert_eq!((bounds.min_value.as_deref(), bounds.max_value.as_deref()), (Some("0"), Some("32999")));
        assert_eq!(file.columns[1].null_count, 16_500);
        assert!(read(&OLD_TABLE, file.bytes) == written);
    }

    #[test]
    fn a_new_column_leaves_old_files_readable() {
        let file = FileBuilder::encode(&OLD_TABLE, vec![row(1)]).expect("written");
        let mut expected = row(1);
        expected.extend([Value::Null, Value::Null]);
        assert_eq!(read(&NEW_TABLE, file.bytes), [expected]);
    }

    #[test]
    fn a_value_of_another_kind_is_refused() {
        let mut wrong = row(1);
        wrong[0] = Value::Null;
        let error = FileBuilder::encode(&OLD_TABLE, vec![wrong]).expect_err("refused").to_string();
        assert_eq!(error, "column id of t cannot be null");
    }

    #[test]
    fn a_search_of_pages_finds_what_a_search_of_rows_finds() {
        let written: Vec<Row> = (0..70_000).map(row).collect();
        let file = FileBuilder::encode(&OLD_TABLE, written).expect("written");
        let file = Bytes::from(file.bytes);
        let names = |row: &Row, needle: &str| match (&row[1], &row[2]) {
            (Value::Text(name), _) if name.to_lowercase().contains(needle) => true,
            (_, Value::Texts(tags)) => tags.iter().any(|tag| tag.contains(needle)),
            _ => false,
        };
        // In each row group, in the first, the second and the last, and in none; a text at the end of a page and one after it.
        for needle in ["tag 1", "ż31", "ż40001", "ż69999", "ż2047", "ż2049", "ż70001", "z31"] {
            let (looked_at, wanted) = (Cell::new(0), |row: Row| names(&row, needle).then_some(row));
            let all = rows(&OLD_TABLE, file.clone()).expect("Parquet").map(|row| row.expect("a row"));
            let found = search(
                &OLD_TABLE,
                file.clone(),
                |text| text.to_lowercase().contains(needle),
                |row| {
                    looked_at.set(looked_at.get() + 1);
                    wanted(row)
                },
            );
            let found = found.expect("searched");
            assert!(found == all.filter_map(wanted).collect::<Vec<_>>(), "{needle}");
            let most = if found.is_empty() { 0 } else { 70_000 };
            assert!(looked_at.get() <= most, "{needle}: {} rows were made for nothing", looked_at.get());
        }
        let group = search(&OLD_TABLE, file, |text| text.contains("ż69999"), Some).expect("searched");
        assert_eq!(group.len(), 70_000 - 2 * 32_768, "one row group was read, and no other");
    }

    #[test]
    fn files_are_merged_in_their_order_and_split_where_they_are_large() {
        let file = |ids: Vec<i64>| {
            let encoded =
                FileBuilder::encode(&OLD_TABLE, ids.into_iter().map(row).collect()).expect("written");
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(&encoded.bytes).expect("written");
            file
        };
        let odd_and_even = || {
            vec![file((0..17_000).map(|n| 2 * n).collect()), file((0..17_000).map(|n| 2 * n + 1).collect())]
        };
        let keep = |row: &Row| row[0] != Value::Int(7);
        let merged = merge(&OLD_TABLE, odd_and_even(), usize::MAX, keep).expect("merged");
        assert_eq!(merged.len(), 1);
        let small = merge(&OLD_TABLE, odd_and_even(), 1_000, keep).expect("merged");
        assert!(small.len() > 1);
        let rows: Vec<Row> = small.into_iter().flat_map(|file| read(&OLD_TABLE, file.bytes)).collect();
        assert!(rows == read(&OLD_TABLE, merged.into_iter().next().expect("one").bytes));
        assert!(rows.len() == 33_999 && rows.is_sorted());
    }
}
