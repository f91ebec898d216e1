//! The commands, one per file; each reads like what it does.

mod completions;
mod config;
mod confirmation;
mod dead_letters;
mod dispatch;
mod doctor;
mod facts;
mod migrate;
mod pull;
mod pulls;
mod rejected;
mod rerun;
mod show;
mod status;
mod steering;
mod top;
mod topology;
mod wait;

pub(crate) use dispatch::Command;
