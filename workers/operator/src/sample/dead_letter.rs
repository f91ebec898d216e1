//! Workers, retries and dead letters.

use chrono::TimeDelta;
use shared::store::{
    DeadLetterDetails, DeadLetterEvent, DeadLetterGroup, DeadLetterRow, ReplayReport, RetryRow, WorkerRow,
};

use super::now::now;

/// A worker that is paused.
pub(crate) fn worker() -> WorkerRow {
    WorkerRow {
        stage: "extractor".into(),
        replica: "one".into(),
        build: "0.1.0".into(),
        host: "host".into(),
        state: "paused".into(),
        code: Some("helix.outage".into()),
        reason: Some("Twitch is down".into()),
        since: now() - TimeDelta::seconds(65),
        in_hand: 1,
        points_left: Some(700),
        points_limit: Some(800),
        clock_ahead: TimeDelta::zero(),
        seen_at: now(),
    }
}

/// A message that is retried.
pub(crate) fn retry() -> RetryRow {
    RetryRow {
        stage: "extractor".into(),
        message_id: "m".into(),
        pull_id: Some(8),
        chunk: None,
        attempts: 3,
        code: "helix.server_error".into(),
        message: "Twitch answered 503".into(),
        first_failed_at: now() - TimeDelta::minutes(1),
        last_failed_at: now(),
        retry_at: now() + TimeDelta::seconds(5),
    }
}

/// A dead letter in a list.
pub(crate) fn dead_letter() -> DeadLetterRow {
    DeadLetterRow {
        id: 17,
        queue: "finalizer.dead".into(),
        stage: "finalizer".into(),
        class: "permanent".into(),
        code: "store.data".into(),
        message: "value out of range".into(),
        fingerprint: "3fa9c0de3fa9c0de".into(),
        attempts: 1,
        first_failed_at: now() - TimeDelta::minutes(3),
        last_failed_at: now() - TimeDelta::minutes(2),
        build: "0.1.0".into(),
        generation: 1,
        pull_id: Some(6),
        chunk: Some(12),
        state: "dead".into(),
    }
}

/// The same, whole.
pub(crate) fn dead_letter_details() -> DeadLetterDetails {
    let event = DeadLetterEvent {
        at: now() - TimeDelta::minutes(2),
        by: "finalizer".into(),
        event: "dead".into(),
        detail: String::new(),
    };
    DeadLetterDetails {
        row: dead_letter(),
        letter: "ab12".into(),
        causes: "SQLSTATE 22003".into(),
        host: "host".into(),
        message_id: "m".into(),
        kind: "channels-filled".into(),
        properties: serde_json::json!({"message_id": "m", "headers": {"x": {"type": "u32", "value": 1}}}),
        body: br#"{"kind":"channels-filled"}"#.to_vec(),
        held_until: None,
        replay_of: Some(11),
        events: vec![event],
    }
}

/// Dead letters of one cause.
pub(crate) fn dead_letter_group() -> DeadLetterGroup {
    DeadLetterGroup {
        fingerprint: "3fa9c0de3fa9c0de".into(),
        stage: "finalizer".into(),
        class: "permanent".into(),
        code: "store.data".into(),
        letters: 1_200,
        held: 3,
        first_failed_at: now() - TimeDelta::hours(2),
        last_failed_at: now(),
        sample: 17,
        message: "value out of range".into(),
        owner: Some("ada".into()),
        note: Some("fixed in 1.2".into()),
    }
}

/// A replay that is not over.
pub(crate) fn replay_report() -> ReplayReport {
    ReplayReport {
        replay_id: 4,
        letters: 500,
        done: 480,
        returned_same: 15,
        returned_different: 2,
        pending: 3,
        not_sent: 0,
        cured_by: Some("1.2.0".into()),
        ending: Some("complete".into()),
    }
}
