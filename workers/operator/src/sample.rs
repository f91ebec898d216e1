//! Pulls and dead letters for tests.

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    retention::{ClassSurvey, KeptDay, Removed},
    schema::PullId,
    store::{
        DeadLetterDetails, DeadLetterEvent, DeadLetterGroup, DeadLetterRow, Places, PullReport, ReplayReport,
        RetryRow, StageSpan, Ttl, Waiting, WorkerRow,
    },
};

use crate::{
    shadow::{Comparison, Difference, Findings, Secret, Setting},
    view::{Erased, PullDetails, Shadowed},
};

/// The time of the tests.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-07-12T10:42:00Z".parse().unwrap()
}

/// A pull in the middle of fetching, 10 seconds old.
pub(crate) fn under_way() -> PullReport {
    PullReport {
        pull_id: PullId(8),
        status: "pending".into(),
        slot: None,
        requested_by: "operator".into(),
        started_at: now() - TimeDelta::seconds(10),
        extracted_at: None,
        completed_at: None,
        stop_reason: None,
        whole: None,
        error: None,
        pages: 40,
        fetched: 4_000,
        stored: 3_800,
        rejected: 150,
        duplicates: 50,
        nul_replaced: 0,
        chunks: 40,
        games_added: None,
        games_missing: None,
        channels_filled: None,
        channels_missing: None,
        helix_calls: 45,
        rescues: 0,
        games_chunks: 30,
        channels_chunks: 22,
        merged_chunks: 20,
        rejected_by_rule: [("min_viewers".to_owned(), 149), ("id".to_owned(), 1)].into(),
    }
}

/// The same pull, two minutes after its start.
pub(crate) fn successful() -> PullReport {
    let under_way = under_way();
    PullReport {
        pull_id: PullId(7),
        status: "success".into(),
        slot: Some(under_way.started_at - TimeDelta::seconds(1)),
        requested_by: "schedule".into(),
        extracted_at: Some(under_way.started_at + TimeDelta::seconds(31)),
        completed_at: Some(under_way.started_at + TimeDelta::seconds(72)),
        stop_reason: Some("min_viewers".into()),
        whole: Some(true),
        games_added: Some(12),
        games_missing: Some(1),
        channels_filled: Some(3_790),
        channels_missing: Some(10),
        games_chunks: 40,
        channels_chunks: 40,
        merged_chunks: 40,
        ..under_way
    }
}

/// The same pull, failed.
pub(crate) fn failed() -> PullReport {
    PullReport {
        pull_id: PullId(6),
        status: "failed".into(),
        extracted_at: Some(now() - TimeDelta::seconds(1)),
        completed_at: Some(now()),
        stop_reason: Some("end".into()),
        whole: Some(true),
        error: Some("chunk 12 at game-enricher: Twitch answered 400".into()),
        ..under_way()
    }
}

/// Everything about the failed pull.
pub(crate) fn pull_details() -> PullDetails {
    let span = |stage, chunks| StageSpan {
        stage,
        chunks,
        first_at: (chunks > 0).then(|| now() - TimeDelta::seconds(9)),
        last_at: (chunks > 0).then(|| now() - TimeDelta::seconds(1)),
    };
    let stages = [("extractor", 40), ("game-enricher", 30), ("channel-enricher", 22), ("finalizer", 0)];
    let waiting = vec![Waiting {
        chunk: 12,
        stage: "game-enricher".into(),
        since: now() - TimeDelta::seconds(9),
        failed_stage: Some("game-enricher".into()),
        failure: Some("Twitch answered 400".into()),
    }];
    PullDetails {
        pull: failed(),
        stages: stages.map(|(stage, chunks)| span(stage, chunks)).into(),
        waiting,
        obstacle: None,
    }
}

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

/// What is kept of two classes.
pub(crate) fn retention() -> Vec<ClassSurvey> {
    let oldest: DateTime<Utc> = "2026-04-12T00:00:00Z".parse().unwrap();
    let day = oldest.date_naive();
    let due = |class| Removed { class, rows: 0, days: vec![], bytes: 0, kept: vec![] };
    vec![
        ClassSurvey {
            class: "pages",
            about: "raw pages",
            ttl: Ttl::days(90),
            is_default: true,
            rows: 1_200,
            bytes: 2 << 20,
            oldest: Some(oldest),
            due: Removed {
                days: vec![day - TimeDelta::days(1)],
                bytes: 1 << 20,
                kept: vec![KeptDay { day, why: "1 pull under way".into() }],
                ..due("pages")
            },
        },
        ClassSurvey {
            class: "alarms",
            about: "alarms",
            ttl: Ttl::NEVER,
            is_default: false,
            rows: 0,
            bytes: 0,
            oldest: None,
            due: due("alarms"),
        },
    ]
}

/// A channel that was erased.
pub(crate) fn erased() -> Erased {
    let counts = [("pull_data.channel_id".to_owned(), 12), ("streams.rejected".to_owned(), 1)].into();
    Erased { channel_id: "123456789".parse().unwrap(), counts, found: Some(Places::new()), lake: false }
}

/// A pull that differs from that of the NiFi flow, and one that the NiFi flow lacks.
pub(crate) fn shadowed() -> Vec<Shadowed> {
    let status = Difference { streams: 1, examples: vec![("44".into(), "x".into(), "y".into())] };
    let comparison = Comparison {
        both: 2,
        only_legacy: vec!["55".into()],
        columns: [("channel.status".to_owned(), status)].into(),
        ..Comparison::default()
    };
    vec![
        Shadowed { pull_id: Some(PullId(7)), legacy_pull: Some("99".into()), comparison: Some(comparison) },
        Shadowed { pull_id: Some(PullId(8)), legacy_pull: None, comparison: None },
    ]
}

/// An exported flow with a setting and a secret.
pub(crate) fn legacy_flow() -> Findings {
    Findings {
        settings: vec![Setting {
            name: "PULL_INTERVAL",
            value: "10m".into(),
            component: "Trigger".into(),
            property: "schedulingPeriod".into(),
        }],
        secrets: vec![Secret {
            component: "Get streams".into(),
            property: "Client-ID".into(),
            setting: Some("TWITCH_CLIENT_ID_FILE"),
        }],
    }
}
