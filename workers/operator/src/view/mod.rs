//! What a person reads, made of facts: knows no database, no broker, no terminal, and no time but the one handed in.

pub(crate) mod format;
mod health;
mod obstacles;
mod pull_details;
mod pulls;
mod queues;
#[cfg(test)]
pub(crate) mod sample;
mod status;
mod summary;
mod table;
mod topology;

pub(crate) use health::{Facts, Health, Vanished};
pub(crate) use obstacles::{of_pull as obstacle, reason};
pub(crate) use pull_details::{PullDetails, pull_details};
pub(crate) use pulls::pulls;
pub(crate) use queues::{by_stage, count_rows, ready};
pub(crate) use status::status;
pub(crate) use summary::summary;
pub(crate) use table::{Style, Table, line};
pub(crate) use topology::topology;
