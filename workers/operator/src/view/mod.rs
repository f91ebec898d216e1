//! What a person reads, made of facts: knows no database, no broker, no terminal, and no time but the one passed in.

mod body;
mod causes;
mod dead_letter;
mod dead_letter_groups;
mod dead_letter_list;
mod describe_pull;
mod doctor;
mod flow;
pub(crate) mod format;
mod health;
mod obstacles;
mod pull_details;
mod pulls;
mod queues;
mod replay;
mod status;
mod steering;
mod summary;
mod table;
mod topology;
mod topology_plan;

pub(crate) use body::readable;
pub(crate) use causes::{ReplayPreview, describe_causes, describe_replay};
pub(crate) use dead_letter::{DeadLetterDetails, dead_letter};
pub(crate) use dead_letter_groups::dead_letter_groups;
pub(crate) use dead_letter_list::{DeadLetterPage, dead_letter_list};
pub(crate) use describe_pull::describe_progress;
pub(crate) use doctor::{Check, Diagnosis, Examination, Finding, Preflight, diagnosis, preflight};
pub(crate) use flow::{Flow, FlowRates, FlowStage, flow, flow_lines};
pub(crate) use health::{Facts, Health, Vanished};
pub(crate) use obstacles::{behind, no_worker, pull_obstacle, reason, stages_with_work};
pub(crate) use pull_details::{PullDetails, pull_details};
pub(crate) use pulls::pulls;
pub(crate) use queues::{StageQueues, by_stage, count_rows, ready};
pub(crate) use replay::{ReplayDetails, replay_details, replay_report};
pub(crate) use status::status;
pub(crate) use steering::{Waiting, person_pause, waiting};
pub(crate) use summary::summary;
pub(crate) use table::Table;
pub(crate) use topology::topology;
pub(crate) use topology_plan::{
    TopologyPlan, describe_difference, describe_step, is_repairable, topology_plan,
};
