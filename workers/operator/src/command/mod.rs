//! The commands, one per file; each reads like what it does.

mod alarms;
mod completions;
mod config;
mod confirmation;
mod dead_letters;
mod dispatch;
mod doctor;
mod erase;
mod events;
mod facts;
mod history;
mod lake;
mod migrate;
mod operations;
mod pull;
mod pulls;
mod recorded;
mod redshift;
mod rejected;
mod rerun;
mod retention;
mod shadow;
mod show;
mod status;
mod steering;
mod top;
mod topology;
mod trace;
mod wait;

pub(crate) use dispatch::Command;
