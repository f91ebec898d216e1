//! Rows into a Parquet file.

use std::{mem, sync::Arc};

use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type},
    file::{
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
};
use shared::lake::{Column, ColumnStats, Kind, Row, StatsBuilder, Table, Value};

use super::{FormatError, schema::schema};

/// Rows of a row group: what is held in memory at a time.
const ROW_GROUP: usize = 32_768;
/// Rows of a page: what a merge of many files holds of each.
const PAGE: usize = 2_048;

/// A finished file.
#[derive(Debug)]
pub struct Encoded {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Rows.
    pub rows: i64,
    /// Bytes of its footer.
    pub footer: i64,
    /// What its columns hold.
    pub columns: Vec<ColumnStats>,
}

/// A file that is being written.
pub struct FileBuilder {
    table: &'static Table,
    writer: SerializedFileWriter<Vec<u8>>,
    waiting: Vec<Row>,
    stats: StatsBuilder,
    rows: i64,
}

impl FileBuilder {
    /// A file of this table, without rows yet.
    pub fn new(table: &'static Table) -> Result<Self, FormatError> {
        let writer = SerializedFileWriter::new(Vec::new(), schema(table)?, properties()?)?;
        Ok(Self { table, writer, waiting: Vec::new(), stats: StatsBuilder::new(table), rows: 0 })
    }

    /// A file of these rows.
    pub fn encode(table: &'static Table, rows: Vec<Row>) -> Result<Encoded, FormatError> {
        let mut file = Self::new(table)?;
        for row in rows {
            file.push(row)?;
        }
        file.finish()
    }

    /// One more row.
    pub fn push(&mut self, row: Row) -> Result<(), FormatError> {
        self.stats.add(&row);
        self.rows += 1;
        self.waiting.push(row);
        if self.waiting.len() == ROW_GROUP { self.flush() } else { Ok(()) }
    }

    /// Bytes so far, without the rows that wait for their row group to be full.
    pub fn bytes(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Writes the rest and the footer.
    pub fn finish(mut self) -> Result<Encoded, FormatError> {
        self.flush()?;
        let bytes = self.writer.into_inner()?;
        // The last eight bytes are the footer's length, little-endian, and the magic number.
        let footer = bytes.len().checked_sub(8).and_then(|at| bytes.get(at..at + 4)?.try_into().ok());
        let footer = footer.map_or(0, u32::from_le_bytes).into();
        Ok(Encoded { rows: self.rows, footer, columns: self.stats.finish(), bytes })
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        let mut rows = mem::take(&mut self.waiting);
        if rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for (place, column) in self.table.columns.iter().enumerate() {
            let values = rows
                .iter_mut()
                .map(|row| row.get_mut(place).map_or(Value::Null, |value| mem::replace(value, Value::Null)));
            write_column(&mut group, self.table, column, values)?;
        }
        group.close()?;
        Ok(())
    }
}

/// All that decides the bytes, beside the rows.
fn properties() -> Result<WriterPropertiesPtr, FormatError> {
    let properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by("twitch lake 1".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_data_page_row_count_limit(PAGE)
        .set_write_batch_size(PAGE)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_offset_index_disabled(true);
    Ok(Arc::new(properties.build()))
}

/// Writes one column of a row group.
fn write_column(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    table: &'static Table,
    column: &'static Column,
    values: impl Iterator<Item = Value>,
) -> Result<(), FormatError> {
    let wrong =
        |value: Value| FormatError::Value { table: table.name, column: column.name, found: kind_of(&value) };
    match column.kind {
        Kind::Int32 => write::<Int32Type>(group, column, values, |value| match value {
            Value::Int(number) => i32::try_from(number).map_err(|_| wrong(value)),
            other => Err(wrong(other)),
        }),
        Kind::Int64 => write::<Int64Type>(group, column, values, |value| match value {
            Value::Int(number) => Ok(number),
            other => Err(wrong(other)),
        }),
        Kind::Time => write::<Int64Type>(group, column, values, |value| match value {
            Value::Time(time) => Ok(time.timestamp_micros()),
            other => Err(wrong(other)),
        }),
        Kind::Boolean => write::<BoolType>(group, column, values, |value| match value {
            Value::Bool(yes) => Ok(yes),
            other => Err(wrong(other)),
        }),
        Kind::Text(_) => write::<ByteArrayType>(group, column, values, |value| match value {
            Value::Text(text) => Ok(ByteArray::from(text.into_bytes())),
            other => Err(wrong(other)),
        }),
        Kind::Texts(_) => write_lists(group, values, wrong),
    }
}

/// Writes a column of single values; where null is allowed, level 1 says that there is one.
fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    column: &Column,
    values: impl Iterator<Item = Value>,
    convert: impl Fn(Value) -> Result<T::T, FormatError>,
) -> Result<(), FormatError> {
    let (mut present, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        let null = column.nullable && value == Value::Null;
        levels.push(i16::from(!null));
        if !null {
            present.push(convert(value)?);
        }
    }
    let levels = column.nullable.then_some(&*levels);
    if let Some(mut writer) = group.next_column()? {
        writer.typed::<T>().write_batch(&present, levels, None)?;
        writer.close()?;
    }
    Ok(())
}

/// Writes a column of lists that are never null: definition level 1 is an element, 0 an empty list; repetition level 1 goes on
/// with the list of the element before.
fn write_lists(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: impl Iterator<Item = Value>,
    wrong: impl Fn(Value) -> FormatError,
) -> Result<(), FormatError> {
    let (mut elements, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        let texts = match value {
            Value::Texts(texts) => texts,
            other => return Err(wrong(other)),
        };
        if texts.is_empty() {
            defined.push(0);
            repeated.push(0);
        }
        for (place, text) in texts.into_iter().enumerate() {
            elements.push(ByteArray::from(text.into_bytes()));
            defined.push(1);
            repeated.push(i16::from(place > 0));
        }
    }
    if let Some(mut writer) = group.next_column()? {
        writer.typed::<ByteArrayType>().write_batch(&elements, Some(&defined), Some(&repeated))?;
        writer.close()?;
    }
    Ok(())
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Int(_) => "a number",
        Value::Bool(_) => "a boolean",
        Value::Time(_) => "a time",
        Value::Text(_) => "a text",
        Value::Texts(_) => "a list",
    }
}
