//! Rows into a Parquet file.

use std::{mem, sync::Arc};

use parquet::{
    basic::{Compression, ZstdLevel},
    file::{
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion},
        writer::SerializedFileWriter,
    },
};
use shared::lake::{ColumnStats, Row, StatsBuilder, Table};

use super::{FormatError, group::Group, schema::schema};

/// Rows of a row group: what a search makes rows of at a time.
const ROW_GROUP: usize = 32_768;
/// Rows of a page: what is held in memory at a time, here, and by a merge of many files of each.
pub(crate) const PAGE: usize = 2_048;

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

/// A file that is being written. Holds a page of rows, and the file so far as it will be, which is compressed.
pub struct FileBuilder {
    table: &'static Table,
    writer: SerializedFileWriter<Vec<u8>>,
    group: Group,
    /// Rows that are not a whole page yet. Where pages end is decided here alone, so that the bytes depend on the rows alone.
    waiting: Vec<Row>,
    stats: StatsBuilder,
    rows: i64,
}

impl FileBuilder {
    /// A file of this table, without rows yet.
    pub fn new(table: &'static Table) -> Result<Self, FormatError> {
        let writer = SerializedFileWriter::new(Vec::new(), schema(table)?, properties()?)?;
        let group = Group::new(table, &writer);
        Ok(Self { table, writer, group, waiting: Vec::new(), stats: StatsBuilder::new(table), rows: 0 })
    }

    /// A file of these rows.
    pub fn encode(table: &'static Table, rows: Vec<Row>) -> Result<Encoded, FormatError> {
        let mut file = Self::new(table)?;
        file.push_all(rows)?;
        file.finish()
    }

    /// More rows.
    pub fn push_all(&mut self, rows: Vec<Row>) -> Result<(), FormatError> {
        rows.into_iter().try_for_each(|row| self.push(row))
    }

    /// One more row.
    pub fn push(&mut self, row: Row) -> Result<(), FormatError> {
        self.stats.add(&row);
        self.rows += 1;
        self.waiting.push(row);
        if self.waiting.len() < PAGE {
            return Ok(());
        }
        self.group.write(mem::take(&mut self.waiting))?;
        if self.group.rows() < ROW_GROUP { Ok(()) } else { self.close_group() }
    }

    /// Bytes so far, without the row group that is not full yet.
    pub fn bytes(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Writes the rest and the footer.
    pub fn finish(mut self) -> Result<Encoded, FormatError> {
        self.group.write(mem::take(&mut self.waiting))?;
        if self.group.rows() > 0 {
            self.close_group()?;
        }
        let bytes = self.writer.into_inner()?;
        // The last eight bytes are the footer's length, little-endian, and the magic number.
        let footer = bytes.len().checked_sub(8).and_then(|at| bytes.get(at..at + 4)?.try_into().ok());
        let footer = footer.map_or(0, u32::from_le_bytes).into();
        Ok(Encoded { rows: self.rows, footer, columns: self.stats.finish(), bytes })
    }

    fn close_group(&mut self) -> Result<(), FormatError> {
        let next = Group::new(self.table, &self.writer);
        mem::replace(&mut self.group, next).close(&mut self.writer)
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
