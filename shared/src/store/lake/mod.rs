//! The lake's catalogue (schema `lake`, DuckLake 1.0), and the rows that go into the lake.
//!
//! Whatever changes the catalogue holds one advisory lock for as long as its transaction. Files are in storage before a row
//! names them, and leave it after no row does; the store sees neither happen.

mod checksum;
mod commit;
mod expire;
mod export;
mod hold;
mod home;
mod manifest;
mod register;
mod request;
mod rows;
mod status;

pub use commit::{CatalogueFile, Moved};
pub use expire::Expired;
pub use export::{ExportMark, Exported, PullFiles};
pub use hold::LakeLock;
pub use manifest::Manifest;
pub use register::Registered;
pub use request::{LakeAction, LakeRequest};
pub use rows::LakeRows;
pub use status::{LakeStatus, TableStatus};
