//! Pulls and dead letters for tests.

mod dead_letter;
mod explain;
mod now;
mod pull;
mod steering;
mod upkeep;

pub(crate) use dead_letter::{
    dead_letter, dead_letter_details, dead_letter_group, replay_report, retry, worker,
};
pub(crate) use explain::{alarm, channel_trace, event, history_entry, pull_trace, stream_trace};
pub(crate) use now::now;
pub(crate) use pull::{failed, pull_details, successful, under_way};
pub(crate) use steering::{operation, operation_details, stage_pause};
pub(crate) use upkeep::{erased, legacy_flow, retention, shadowed};
