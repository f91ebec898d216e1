//! `operator dead-letters`: what failed, why, and sending it back. One subcommand per file.
//!
//! Lists and groups come from the dead-letter store in PostgreSQL, so reading disturbs no queue. A command that changes
//! something counts the dead letters it selects, and asks first.

mod discard;
mod dispatch;
mod edit;
mod export;
mod filter;
mod fingerprint;
mod follow;
mod groups;
mod hold;
mod import;
mod list;
mod ndjson;
mod note;
mod release;
mod replay;
mod report;
mod restore;
mod selection;
mod show;

pub(super) use dispatch::DeadLetters;
