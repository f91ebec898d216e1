//! What a person reads, made of facts: knows no database, no broker, no terminal, and no time but the one handed in.

mod health;
mod obstacles;
mod portrait;
mod pulls;
mod queues;
#[cfg(test)]
pub(crate) mod sample;
mod status;
mod summary;
mod table;
mod topology;
pub(crate) mod words;

pub(crate) use health::{Facts, Health, Vanished};
pub(crate) use obstacles::{of_pull as obstacle, reason};
pub(crate) use portrait::{Portrait, portrait};
pub(crate) use pulls::pulls;
pub(crate) use queues::{by_stage, count_rows, ready};
pub(crate) use status::status;
pub(crate) use summary::summary;
pub(crate) use table::{Table, Tone, line};
pub(crate) use topology::topology;
