//! What the erasure of a channel reads and changes: every column of every table that can hold a text, by the catalog of
//! PostgreSQL itself, so that tables of later builds are not forgotten. But for the schema `lake`: what it says of files has to
//! fit the files, and only whoever writes those may change it. The search afterwards reads all of it, and every other type.

mod own;
mod prove;
mod record;
mod rewrite;
mod scan;
mod table;

use std::collections::BTreeMap;

pub use record::{Begun, UnfinishedErasure};
pub use rewrite::Rewrite;
pub use table::Table;

/// Rows by table and column, and messages by queue.
pub type Places = BTreeMap<String, i64>;
