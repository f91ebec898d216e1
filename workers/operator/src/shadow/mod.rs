//! Moving in from the NiFi flow: its documents compared with ours, and its exported flow read for settings and secrets.
//! Knows no database and no terminal.

mod compare;
mod component;
mod export;
mod json;
mod mapping;
mod secret;
mod xml;

#[cfg(test)]
pub(crate) use compare::Difference;
pub(crate) use compare::{Comparison, Rules, compare};
pub(crate) use export::read;
pub(crate) use mapping::{Findings, Secret, Setting, map};
