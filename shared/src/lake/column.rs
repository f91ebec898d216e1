//! A column of the lake, and what it is called by each of its readers.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// Yes or no.
    Boolean,
    /// Microseconds since 1970, UTC.
    Time,
    /// A text of at most so many bytes, UTF-8. Longer ones do not come from Twitch.
    Text(u16),
    /// A list of texts; the number is its elements' id.
    Texts(i32),
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its number: Parquet's field id and the catalogue's column id. Never given twice.
    pub id: i32,
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether null means something.
    pub nullable: bool,
    /// What it means, for people.
    pub comment: &'static str,
}

impl Column {
    /// A column that always has a value.
    pub(super) const fn new(id: i32, name: &'static str, kind: Kind, comment: &'static str) -> Self {
        Self { id, name, kind, nullable: false, comment }
    }

    /// The same, which may be null.
    pub(super) const fn or_null(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// Its type in the catalogue. Source: DuckLake 1.0, "Data types".
    pub const fn ducklake_type(&self) -> &'static str {
        match self.kind {
            Kind::Int32 => "int32",
            Kind::Int64 => "int64",
            Kind::Boolean => "boolean",
            Kind::Time => "timestamptz",
            Kind::Text(_) => "varchar",
            Kind::Texts(_) => "list",
        }
    }

    /// Its type in Redshift, where `varchar` counts bytes and a list is `super`.
    pub fn redshift_type(&self) -> String {
        match self.kind {
            Kind::Int32 => "integer".to_owned(),
            Kind::Int64 => "bigint".to_owned(),
            Kind::Boolean => "boolean".to_owned(),
            Kind::Time => "timestamptz".to_owned(),
            Kind::Text(bytes) => format!("varchar({bytes})"),
            Kind::Texts(_) => "super".to_owned(),
        }
    }
}
