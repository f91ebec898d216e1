//! `operator rejected`: records that failed validation, why, and how they still enter their pull. One subcommand per file.

mod dispatch;
mod groups;
mod list;
mod revalidate;
mod selection;
mod show;

pub(super) use dispatch::Rejected;
