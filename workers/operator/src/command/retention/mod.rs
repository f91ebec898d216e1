//! `operator retention`: how long data is kept, and what is removed. One subcommand per file.

mod apply;
mod dispatch;
mod set;
mod show;

pub(super) use dispatch::Retention;
