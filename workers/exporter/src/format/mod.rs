//! Rows as Parquet, and back.
//!
//! The same rows give the same bytes: their order is the caller's, the writer's settings are all here, and nothing of a clock,
//! a host or a build goes into a file.

mod read;
mod schema;
mod write;

pub use read::{merge, rows};
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
