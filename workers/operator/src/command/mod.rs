//! The commands, one per file; each reads like what it does.

mod config;
mod confirmation;
mod dead_letters;
mod dispatch;
mod erase;
mod lake;
mod migrate;
mod pull;
mod pulls;
mod redshift;
mod rejected;
mod rerun;
mod retention;
mod shadow;
mod show;
mod status;
mod topology;
mod wait;

pub(crate) use dispatch::Command;
