//! What people order.

use chrono::TimeDelta;
use shared::{
    steering::StagePause,
    store::{OperationRow, OperationStep},
};

use super::{dead_letter::replay_report, now::now};
use crate::view::OperationDetails;

/// A stage that a person has paused.
pub(crate) fn stage_pause() -> StagePause {
    StagePause {
        stage: "extractor".into(),
        paused_by: "anna".into(),
        reason: Some("the disk is changed".into()),
        paused_at: now(),
        until: Some(now() + TimeDelta::minutes(30)),
    }
}

/// A replay from the console that somebody has stopped.
pub(crate) fn operation() -> OperationRow {
    OperationRow {
        id: 5,
        kind: "replay".into(),
        arguments: serde_json::json!({ "filter": { "fingerprint": "3fa9" } }),
        command: "dead-letters replay --group 3fa9 --canary --tolerate 0.1 --patience 1m".into(),
        requested_by: "ada".into(),
        requested_from: "console".into(),
        requested_at: now(),
        counted: Some(500),
        state: "stopping".into(),
        stop_by: Some("bob".into()),
        stop_at: Some(now()),
        carried_by: Some("extractor 7-1".into()),
        started_at: Some(now()),
        ended_at: None,
        outcome: None,
        replay_id: Some(4),
    }
}

/// The same with its steps.
pub(crate) fn operation_details() -> OperationDetails {
    let steps = vec![OperationStep { at: now(), step: "begun by extractor 7-1".into() }];
    OperationDetails { row: operation(), steps, replay: Some(replay_report()) }
}
