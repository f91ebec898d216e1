//! Rows of Parquet files, one after another or merged.

use std::{cmp::Reverse, collections::BinaryHeap, fs::File};

use chrono::DateTime;
use parquet::{
    basic::{Encoding, Type as PhysicalType},
    file::{
        reader::{ChunkReader, FileReader, RowGroupReader},
        serialized_reader::SerializedFileReader,
    },
    record::{self, Field, reader::RowIter},
};
use shared::lake::{Column, Kind, Row, Table, Value};

use super::{Encoded, FileBuilder, FormatError};

/// The rows of a file, in its order. A column that the file does not have yet is null.
pub fn rows<R: ChunkReader + 'static>(
    table: &'static Table,
    file: R,
) -> Result<impl Iterator<Item = Result<Row, FormatError>> + use<R>, FormatError> {
    let reader = SerializedFileReader::new(file)?;
    let rows = RowIter::from_file_into(Box::new(reader));
    Ok(rows.map(move |read| row(table, read?)))
}

/// What `wanted` makes of the rows of a file that may have a text of which `may_hold` says so.
///
/// It is asked of whole pages, and rows are made only of those row groups that have such a page: texts stand in a page as they
/// are, one after the other. So whatever is sorted by what is searched is read for the most part without making one row.
pub fn search<R: ChunkReader + 'static, T>(
    table: &'static Table,
    file: R,
    may_hold: impl Fn(&str) -> bool,
    wanted: impl Fn(Row) -> Option<T>,
) -> Result<Vec<T>, FormatError> {
    let reader = SerializedFileReader::new(file)?;
    let mut found = Vec::new();
    for place in 0..reader.num_row_groups() {
        let group = reader.get_row_group(place)?;
        if !group_may_hold(&*group, &may_hold)? {
            continue;
        }
        for read in RowIter::from_row_group(None, &*group)? {
            found.extend(wanted(row(table, read?)?));
        }
    }
    Ok(found)
}

/// Whether a page of texts of this row group may hold what is looked for. A page that does not have its texts as they are may.
fn group_may_hold(group: &dyn RowGroupReader, may_hold: impl Fn(&str) -> bool) -> Result<bool, FormatError> {
    for (place, column) in group.metadata().columns().iter().enumerate() {
        if column.column_type() != PhysicalType::BYTE_ARRAY {
            continue;
        }
        for page in group.get_column_page_reader(place)? {
            let page = page?;
            // Between two texts stands a length, which may be no text.
            let readable = matches!(
                page.encoding(),
                Encoding::PLAIN | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY
            );
            if !readable || may_hold(&String::from_utf8_lossy(page.buffer())) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A row as it was read. A column that the file does not have yet is null.
fn row(table: &'static Table, read: record::Row) -> Result<Row, FormatError> {
    let mut fields: Vec<(String, Field)> = read.into_columns();
    let row = table.columns.iter().map(|column| {
        let place = fields.iter().position(|(name, _)| name == column.name);
        place.map_or(Ok(Value::Null), |place| value(table, column, fields.swap_remove(place).1))
    });
    row.collect()
}

/// The rows of sorted files as new sorted files of at most `most` bytes each, give or take a row group, and without the rows
/// that `keep` leaves out. Holds one page of each file and one new file in memory.
pub fn merge(
    table: &'static Table,
    files: Vec<File>,
    most: usize,
    keep: impl Fn(&Row) -> bool,
) -> Result<Vec<Encoded>, FormatError> {
    let mut sources = files.into_iter().map(|file| rows(table, file)).collect::<Result<Vec<_>, _>>()?;
    let key = |row: &Row| table.key(row).into_iter().cloned().collect::<Vec<_>>();
    let mut next = BinaryHeap::new();
    for (place, source) in sources.iter_mut().enumerate() {
        if let Some(row) = source.next().transpose()? {
            next.push(Reverse((key(&row), place, row)));
        }
    }
    let mut done = Vec::new();
    let mut builder = FileBuilder::new(table)?;
    let mut empty = true;
    while let Some(Reverse((_, place, row))) = next.pop() {
        if let Some(row) = sources.get_mut(place).and_then(Iterator::next).transpose()? {
            next.push(Reverse((key(&row), place, row)));
        }
        if !keep(&row) {
            continue;
        }
        if builder.bytes() >= most {
            done.push(std::mem::replace(&mut builder, FileBuilder::new(table)?).finish()?);
        }
        builder.push(row)?;
        empty = false;
    }
    if !empty {
        done.push(builder.finish()?);
    }
    Ok(done)
}

fn value(table: &'static Table, column: &'static Column, field: Field) -> Result<Value, FormatError> {
    let wrong = |found| FormatError::Value { table: table.name, column: column.name, found };
    let value = match (column.kind, field) {
        (_, Field::Null) => Value::Null,
        (Kind::Int32, Field::Int(number)) => Value::Int(number.into()),
        (Kind::Int64, Field::Long(number)) => Value::Int(number),
        (Kind::Boolean, Field::Bool(yes)) => Value::Bool(yes),
        (Kind::Time, Field::TimestampMicros(micros)) => {
            Value::Time(DateTime::from_timestamp_micros(micros).ok_or_else(|| wrong("a time out of range"))?)
        }
        (Kind::Text(_), Field::Str(text)) => Value::Text(text),
        (Kind::Texts(_), Field::ListInternal(list)) => {
            let texts = list.elements().iter().map(|field| match field {
                Field::Str(text) => Ok(text.clone()),
                _ => Err(wrong("a list of something else than texts")),
            });
            Value::Texts(texts.collect::<Result<_, _>>()?)
        }
        _ => return Err(wrong("of another type in a file")),
    };
    Ok(value)
}
