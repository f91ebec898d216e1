//! What the erasure of a channel reads and changes: every column of every table that can hold a text, by the catalog of
//! PostgreSQL itself, so that tables of later builds are not forgotten. But for the schema `lake`: what it says of files has to
//! fit the files, and only whoever writes those may change it.

mod columns;
mod own;
mod record;

use std::collections::BTreeMap;

pub use columns::TextColumn;

/// Rows by table and column, and messages by queue.
pub type Places = BTreeMap<String, i64>;
