//! A value and a row of the lake, of whichever table.

use chrono::{DateTime, Utc};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// None.
    Null,
    /// A whole number, of either width.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// A time.
    Time(DateTime<Utc>),
    /// A text.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
}

/// The values of a row, in the order of its table's columns.
pub type Row = Vec<Value>;

impl Value {
    /// As the catalogue writes bounds. `None` for what has none: null, lists, and texts too long to be of use.
    pub(super) fn bound(&self) -> Option<String> {
        /// Bounds are for skipping files; ids, logins and languages are shorter than this.
        const LONGEST: usize = 64;
        match self {
            Self::Int(number) => Some(number.to_string()),
            Self::Bool(yes) => Some(u8::from(*yes).to_string()),
            Self::Time(time) => Some(time.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string()),
            Self::Text(text) if text.len() <= LONGEST => Some(text.clone()),
            Self::Null | Self::Text(_) | Self::Texts(_) => None,
        }
    }
}
