//! Of `operator migrate`.

use shared::store::Migrated;

use super::document::document;

document! {
    /// The schema's version, and the migrations that ran.
    Migration from Migrated { version: i64, applied: Vec<&'static str> }
}
