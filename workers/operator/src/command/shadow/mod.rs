//! `operator shadow`: moving in from the NiFi flow. One subcommand per file.

mod compare;
mod dispatch;
mod flow;

pub(super) use dispatch::Shadow;
