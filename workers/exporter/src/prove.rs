//! The search of storage after an erasure: every file, whoever made it, as bytes. Of Parquet, what describes it as it is, every page as
//! it is unpacked, and each value of the row groups that have something.

use bytes::Bytes;
use parquet::{
    basic::{Encoding, Type as PhysicalType},
    errors::ParquetError,
    file::{
        metadata::RowGroupMetaData,
        reader::{FileReader, RowGroupReader},
        serialized_reader::SerializedFileReader,
    },
    record::{Field, reader::RowIter},
};
use shared::{
    failure::Failure,
    proof::{Found, Holds, Leftovers, Needles, OF_GAMES},
};

use crate::{blocking::blocking, lake::Lake, storage::StorageError};

/// How a Parquet file begins and ends.
const MAGIC: &[u8] = b"PAR1";
/// Bytes that are searched at once, and how many of them again with the next: more than any name is long, however it is escaped.
const WINDOW: usize = 1024 * 1024;
const OVERLAP: usize = 4096;

impl Lake {
    /// What is left of a channel in storage, by table and column or by file.
    pub(crate) async fn prove(&self, needles: &Needles) -> Result<Leftovers, Failure> {
        let mut left = Leftovers::default();
        for file in self.storage.list().await? {
            let path = file.location.to_string();
            left.note(&format!("lake/{path} (its name)"), needles.find("path", Holds::Text, path.as_bytes()));
            let bytes = match self.storage.read(&path).await {
                Ok(bytes) => bytes,
                Err(StorageError::Missing(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            let needles = needles.clone();
            left.extend(blocking(move || file_left(&path, &bytes, &needles)).await?);
        }
        Ok(left)
    }
}

/// What is left in a file.
fn file_left(path: &str, bytes: &Bytes, needles: &Needles) -> Leftovers {
    let mut left = Leftovers::default();
    if !(bytes.starts_with(MAGIC) && bytes.ends_with(MAGIC)) {
        bytes_left(path, bytes, needles, &mut left);
    } else if let Err(error) = parquet_left(path, bytes, needles, &mut left) {
        tracing::warn!(%error, "{path} cannot be read as Parquet");
        left.note(&format!("lake/{path} (cannot be read)"), Some(Found::Unexplained));
    }
    left
}

fn bytes_left(path: &str, bytes: &[u8], needles: &Needles, left: &mut Leftovers) {
    for begin in (0..bytes.len()).step_by(WINDOW) {
        let window = &bytes[begin..bytes.len().min(begin + WINDOW + OVERLAP)];
        left.note(&format!("lake/{path}"), needles.find("file", Holds::Text, window));
    }
}

fn parquet_left(
    path: &str,
    bytes: &Bytes,
    needles: &Needles,
    left: &mut Leftovers,
) -> Result<(), ParquetError> {
    let table = path.strip_prefix("hot/").unwrap_or(path).split('/').next().unwrap_or_default();
    let reader = SerializedFileReader::new(bytes.clone())?;
    // After the last column are the bounds of each.
    let ends = reader.metadata().row_groups().iter().flat_map(RowGroupMetaData::columns).map(|column| {
        let (start, length) = column.byte_range();
        start.saturating_add(length)
    });
    let end = usize::try_from(ends.max().unwrap_or_default()).unwrap_or(usize::MAX).min(bytes.len());
    bytes_left(path, &bytes[end..], needles, left);
    for place in 0..reader.num_row_groups() {
        let group = reader.get_row_group(place)?;
        if !group_occurs(&*group, needles)? {
            continue;
        }
        // A page has lengths between its texts: only a value shows where a text ends.
        let mut found = false;
        for row in RowIter::from_row_group(None, &*group)? {
            for (name, value) in row?.get_column_iter() {
                let value = match value {
                    Field::Str(text) => needles.find(name, Holds::Text, text.as_bytes()),
                    Field::Bytes(bytes) => needles.find(name, Holds::Text, bytes.data()),
                    Field::Int(_) | Field::Long(_) => {
                        needles.find(name, Holds::Number, value.to_string().as_bytes())
                    }
                    other => needles.find(name, Holds::Text, other.to_string().as_bytes()),
                };
                let value =
                    value.map(|found| if table == "game" { Found::Explained(OF_GAMES) } else { found });
                found |= value.is_some();
                left.note(&format!("lake/{table}.{name}"), value);
            }
        }
        if !found {
            left.note(&format!("lake/{path} (a page)"), Some(Found::Unexplained));
        }
    }
    Ok(())
}

/// Whether a page of the row group has any of the bytes; one whose texts are packed into each other may.
fn group_occurs(group: &dyn RowGroupReader, needles: &Needles) -> Result<bool, ParquetError> {
    for (place, column) in group.metadata().columns().iter().enumerate() {
        let is_text =
            matches!(column.column_type(), PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY);
        for page in group.get_column_page_reader(place)? {
            let page = page?;
            let is_plain = matches!(
                page.encoding(),
                Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY
            );
            if (is_text && !is_plain) || needles.occur_in(page.buffer()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use shared::{
        lake::{Column, Kind, Table, Value},
        store::Places,
    };

    use super::*;
    use crate::format::FileBuilder;

    const COLUMNS: [Column; 2] = [
        Column { id: 1, name: "number", kind: Kind::Int64, nullable: false, comment: "" },
        Column { id: 2, name: "note", kind: Kind::Text(40), nullable: true, comment: "" },
    ];
    static TABLE: Table = Table { id: 1, name: "t", comment: "", columns: &COLUMNS, sorted_by: &["number"] };

    fn left(path: &str, bytes: Vec<u8>) -> Leftovers {
        let needles = Needles::new("123456789", &["some_body".to_owned()], false);
        file_left(path, &Bytes::from(bytes), &needles)
    }

    fn parquet(notes: &[&str]) -> Vec<u8> {
        let rows = notes
            .iter()
            .zip(0..)
            .map(|(note, number)| vec![Value::Int(number), Value::Text((*note).to_owned())]);
        FileBuilder::encode(&TABLE, rows.collect()).expect("written").bytes
    }

    #[test]
    fn what_is_left_in_a_file_is_found_whatever_the_file_is() {
        let manifest = left("_manifests/x.json", br#"{"note": "Some\u005fBody"}"#.to_vec());
        assert_eq!(manifest.unexplained, [("lake/_manifests/x.json".to_owned(), 1)].into());
        let middle = left("hot/t/day=1/pull-1.parquet", parquet(&["a", "with Some_Body", "z"]));
        assert_eq!(middle.unexplained, [("lake/t.note".to_owned(), 1)].into(), "unpacked");
        // The least and the greatest value stand in what describes the file, as they are.
        let bound = left("t/day=1/day-g1.parquet", parquet(&["some_body", "z"]));
        let places = [("lake/t.note".to_owned(), 1), ("lake/t/day=1/day-g1.parquet".to_owned(), 1)];
        assert_eq!(bound.unexplained, places.into());
        let other =
            left("t/day=1/day-g1.parquet", parquet(&["awesome_body", "some_bodyguard", "9123456789"]));
        assert_eq!(other.unexplained, Places::new());
        assert_eq!(other.explained.len(), 2, "{other:?}");
        let broken = left("t/x.parquet", [MAGIC, b"?", MAGIC].concat());
        assert_eq!(broken.unexplained, [("lake/t/x.parquet (cannot be read)".to_owned(), 1)].into());
    }
}
