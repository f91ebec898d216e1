//! Columns read by name: what cannot be read is an error, never a panic.

use tokio_postgres::{Row, types::FromSql};

use super::Error;

pub(super) trait Columns {
    /// The value of the column `name`; [`Error::Column`] where there is no such column, or one of another type.
    fn column<'a, T: FromSql<'a>>(&'a self, name: &'static str) -> Result<T, Error>;
}

impl Columns for Row {
    fn column<'a, T: FromSql<'a>>(&'a self, name: &'static str) -> Result<T, Error> {
        self.try_get(name).map_err(|source| Error::Column { name, source })
    }
}
