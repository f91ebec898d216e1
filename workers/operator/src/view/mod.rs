//! What a person reads, made of facts: knows no database, no broker, no terminal, and no time but the one passed in.

mod causes;
mod dead_letter;
mod dead_letter_groups;
mod dead_letter_list;
mod doctor;
mod erasure;
mod events;
mod flow;
mod history;
mod lake;
mod operations;
mod pull_details;
mod pulls;
mod queue_table;
mod replay;
mod retention;
#[cfg(test)]
mod sentences;
mod shadow;
mod status;
mod steering;
mod summary;
mod table;
mod topology;
mod topology_plan;
mod trace;

pub(crate) use causes::{ReplayPreview, describe_causes, describe_replay};
pub(crate) use dead_letter::{DeadLetterDetails, dead_letter};
pub(crate) use dead_letter_groups::dead_letter_groups;
pub(crate) use dead_letter_list::{DeadLetterPage, dead_letter_list};
pub(crate) use doctor::{Check, Diagnosis, Examination, Finding, Preflight, diagnosis, preflight};
pub(crate) use erasure::{Erased, erased, found_in};
pub(crate) use events::{event_line, events};
pub(crate) use flow::{Flow, FlowRates, FlowStage, flow, flow_lines};
pub(crate) use history::{alarms, history};
pub(crate) use lake::lake;
pub(crate) use operations::{OperationDetails, describe_operation, operation, operations};
pub(crate) use pull_details::{PullDetails, pull_details};
pub(crate) use pulls::pulls;
pub(crate) use replay::{ReplayDetails, replay_details, replay_report};
pub(crate) use retention::{removed, retention};
pub(crate) use shadow::{Shadowed, legacy_flow, shadowed};
pub(crate) use shared::view::{
    Facts, Health, StageQueues, Vanished, behind, by_stage, describe_progress, format, no_worker,
    person_pause, pull_obstacle, readable, ready, reason, stages_with_work,
};
pub(crate) use status::status;
pub(crate) use steering::{Waiting, waiting};
pub(crate) use summary::summary;
pub(crate) use table::Table;
pub(crate) use topology::topology;
pub(crate) use topology_plan::{
    TopologyPlan, describe_difference, describe_step, is_repairable, topology_plan,
};
pub(crate) use trace::{catalogue_trace, pull_trace, stream_trace};
