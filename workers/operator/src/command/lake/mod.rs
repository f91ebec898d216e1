//! `operator lake …`: how the data lake is, and what the exporter is to do with it.
//!
//! The status comes from the catalogue, which is in PostgreSQL, and so does whose it is. All else touches storage, whose credentials are the exporter's
//! alone: it is asked through a row of `lake.request`, and its answer is waited for.

mod adopt;
mod ask;
mod compact;
mod dispatch;
mod erase;
mod expire;
mod export;
mod reset;
mod status;
mod verify;

pub(crate) use dispatch::Lake;
pub(super) use erase::LakeFiles;
