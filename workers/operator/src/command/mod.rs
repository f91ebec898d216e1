//! The commands, one per file; each reads like what it does.

mod alarms;
mod config;
mod confirmation;
mod dead_letters;
mod dispatch;
mod erase;
mod events;
mod history;
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
mod trace;
mod wait;

pub(crate) use dispatch::Command;
