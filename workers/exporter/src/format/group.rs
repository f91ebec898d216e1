//! A row group that is being written: every column at once, a page of rows at a time, so that no more rows than those of a page
//! are held.
//!
//! In a file, a column's pages stand together. So each column collects its encoded pages in memory, and they are put one after
//! another into the file when the group is full.

use std::{
    io::Write,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use parquet::{
    column::{
        page::{CompressedPage, PageWriteSpec, PageWriter},
        writer::{ColumnWriter, get_column_writer, get_typed_column_writer_mut},
    },
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type},
    errors::ParquetError,
    file::writer::{SerializedFileWriter, SerializedPageWriter, TrackedWrite},
};
use shared::lake::{Column, Kind, Row, Table, Value};

use super::FormatError;

/// A row group of a file.
pub(super) struct Group {
    table: &'static Table,
    columns: Vec<OpenColumn>,
    rows: usize,
}

/// A column of it.
struct OpenColumn {
    writer: ColumnWriter<'static>,
    pages: Pages,
}

/// The encoded pages of a column. Its writer has them too, and does not give them back.
#[derive(Clone)]
struct Pages(Arc<Mutex<TrackedWrite<Vec<u8>>>>);

impl Pages {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(TrackedWrite::new(Vec::new()))))
    }

    /// All of them, and none is left.
    fn take(&self) -> Result<Bytes, ParquetError> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(mem::replace(&mut *pages, TrackedWrite::new(Vec::new())).into_inner()?.into())
    }
}

impl PageWriter for Pages {
    fn write_page(&mut self, page: CompressedPage) -> Result<PageWriteSpec, ParquetError> {
        SerializedPageWriter::new(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner)).write_page(page)
    }

    fn close(&mut self) -> Result<(), ParquetError> {
        Ok(())
    }
}

impl Group {
    /// A group of this file, without rows yet.
    pub(super) fn new<W: Write + Send>(table: &'static Table, file: &SerializedFileWriter<W>) -> Self {
        let columns = file.schema_descr().columns().iter().map(|column| {
            let pages = Pages::new();
            let writer =
                get_column_writer(column.clone(), file.properties().clone(), Box::new(pages.clone()));
            OpenColumn { writer, pages }
        });
        Self { table, columns: columns.collect(), rows: 0 }
    }

    /// Its rows so far.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Writes a page of rows, and drops them.
    pub(super) fn write(&mut self, mut rows: Vec<Row>) -> Result<(), FormatError> {
        for (place, (column, open)) in self.table.columns.iter().zip(&mut self.columns).enumerate() {
            let values = rows
                .iter_mut()
                .map(|row| row.get_mut(place).map_or(Value::Null, |value| mem::replace(value, Value::Null)));
            write_column(&mut open.writer, self.table, column, values)?;
        }
        self.rows += rows.len();
        Ok(())
    }

    /// Puts the group into the file.
    pub(super) fn close<W: Write + Send>(
        self,
        file: &mut SerializedFileWriter<W>,
    ) -> Result<(), FormatError> {
        let mut group = file.next_row_group()?;
        for OpenColumn { writer, pages } in self.columns {
            let closed = writer.close()?;
            group.append_column(&pages.take()?, closed)?;
        }
        group.close()?;
        Ok(())
    }
}

/// Writes values of one column.
fn write_column(
    writer: &mut ColumnWriter<'_>,
    table: &'static Table,
    column: &'static Column,
    values: impl Iterator<Item = Value>,
) -> Result<(), FormatError> {
    let wrong =
        |value: Value| FormatError::Value { table: table.name, column: column.name, found: kind_of(&value) };
    match column.kind {
        Kind::Int32 => write::<Int32Type>(writer, column, values, |value| match value {
            Value::Int(number) => i32::try_from(number).map_err(|_| wrong(value)),
            other => Err(wrong(other)),
        }),
        Kind::Int64 => write::<Int64Type>(writer, column, values, |value| match value {
            Value::Int(number) => Ok(number),
            other => Err(wrong(other)),
        }),
        Kind::Time => write::<Int64Type>(writer, column, values, |value| match value {
            Value::Time(time) => Ok(time.timestamp_micros()),
            other => Err(wrong(other)),
        }),
        Kind::Boolean => write::<BoolType>(writer, column, values, |value| match value {
            Value::Bool(yes) => Ok(yes),
            other => Err(wrong(other)),
        }),
        Kind::Text(_) => write::<ByteArrayType>(writer, column, values, |value| match value {
            Value::Text(text) => Ok(ByteArray::from(text.into_bytes())),
            other => Err(wrong(other)),
        }),
        Kind::Texts(_) => write_lists(writer, values, wrong),
    }
}

/// Writes single values; where null is allowed, level 1 says that there is one.
fn write<T: DataType>(
    writer: &mut ColumnWriter<'_>,
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
    get_typed_column_writer_mut::<T>(writer).write_batch(&present, levels, None)?;
    Ok(())
}

/// Writes lists that are never null: definition level 1 is an element, 0 an empty list; repetition level 1 goes on with the list of
/// the element before.
fn write_lists(
    writer: &mut ColumnWriter<'_>,
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
    let writer = get_typed_column_writer_mut::<ByteArrayType>(writer);
    writer.write_batch(&elements, Some(&defined), Some(&repeated))?;
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
