//! The documents of `--json`: what programs rely on. Their names and shapes are fixed by the golden files beside them, whatever
//! becomes of the store's rows and of the texts for people.

mod dead_letter;
mod doctor;
mod document;
mod erasure;
mod event;
mod flow;
#[cfg(test)]
mod golden;
mod history;
mod lake;
mod migration;
mod operation;
mod pull;
mod rejected;
mod replay;
mod retention;
mod shadow;
mod status;
mod steering;
mod topology;
mod trace;

pub(crate) use dead_letter::{
    DeadLetterDetails, DeadLetterGroup, DeadLetterPage, DiscardPreview, Discarded, Exported, GroupNote, Held,
    Imported, Restored,
};
pub(crate) use doctor::{Diagnosis, Preflight};
pub(crate) use erasure::Erased;
pub(crate) use event::Event;
pub(crate) use flow::Flow;
pub(crate) use history::{Alarm, HistoryEntry};
pub(crate) use lake::LakeStatus;
pub(crate) use migration::Migration;
pub(crate) use operation::{Operation, OperationDetails};
pub(crate) use pull::{PullDetails, PullReport, Requested, Rerun, Waited};
pub(crate) use rejected::{RejectedGroup, RejectedRecord, Revalidation};
pub(crate) use replay::{ReplayDetails, ReplayPreview, ReplayReport};
pub(crate) use retention::{RetentionClass, RetentionRemoved, RetentionSet};
pub(crate) use shadow::{LegacyFlow, Shadowed};
pub(crate) use status::Status;
pub(crate) use steering::{RanOnce, Resumed, StagePause, WaitingMessage};
pub(crate) use topology::{Topology, TopologyPlan};
pub(crate) use trace::{CatalogueTrace, PullTrace, StreamTrace};
