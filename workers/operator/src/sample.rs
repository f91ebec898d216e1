//! Pulls and dead letters for tests.

use chrono::{DateTime, TimeDelta, Utc};
use shared::{
    retention::{ClassSurvey, KeptDay, Removed},
    schema::PullId,
    steering::StagePause,
    store::{
        AlarmRow, CatalogueTrace, DeadLetterDetails, DeadLetterEvent, DeadLetterGroup, DeadLetterRow,
        EventRow, HistoryEntry, OperationRow, OperationStep, PlacedRecord, Places, PullAttempt, PullFacts,
        PullReport, PullSettings, PullTrace, ReplayReport, RetryRow, Sighting, StageSpan, StageWork,
        StoredStream, StreamTrace, TraceStep, Ttl, Waiting, Whereabouts, WorkerRow,
    },
};

use crate::{
    shadow::{Comparison, Difference, Findings, Secret, Setting},
    view::{Erased, OperationDetails, PullDetails, Shadowed},
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

/// A storm.
pub(crate) fn event() -> EventRow {
    EventRow {
        fingerprint: "00f1-7".into(),
        level: "ERROR".into(),
        stage: "game-enricher".into(),
        code: Some("helix.server_error".into()),
        pull_id: Some(7),
        chunk: Some(12),
        message: "Twitch answered 503".into(),
        trace: None,
        build: "0.1.0".into(),
        host: "host".into(),
        count: 1_204,
        first_at: now() - TimeDelta::minutes(3),
        last_at: now(),
    }
}

/// What a trace tells of [`successful`].
pub(crate) fn pull_facts() -> PullFacts {
    let PullReport { pull_id, status, slot, requested_by, started_at, extracted_at, completed_at, .. } =
        successful();
    PullFacts {
        pull_id,
        status,
        slot,
        requested_by,
        started_at,
        extracted_at,
        completed_at,
        stop_reason: Some("min_viewers".into()),
        error: None,
        pages: 40,
        last_viewers: Some(10),
        settings: Some(PullSettings {
            min_viewers: 10,
            max_pages: 0,
            stop_below_min_viewers: true,
            side_by_side: Vec::new(),
            schedule: "every 10m".into(),
            build: "0.1.0".into(),
        }),
        build: Some("0.1.0".into()),
    }
}

fn trace_step() -> TraceStep {
    TraceStep {
        at: pull_facts().started_at + TimeDelta::seconds(1),
        stage: "extractor".into(),
        action: "RECEIVE".into(),
        attempt: 1,
        calls: 1,
        detail: String::new(),
        build: Some("0.1.0".into()),
    }
}

/// A stored stream that was listed twice.
pub(crate) fn stream_trace() -> StreamTrace {
    let record = serde_json::json!({"id": "40000000001", "viewer_count": 120});
    StreamTrace {
        pull: pull_facts(),
        stream_id: "40000000001".into(),
        whereabouts: Whereabouts::Stored(Box::new(StoredStream {
            chunk: 12,
            place: Some(34),
            cursor: Some("eyJ".into()),
            revalidated: false,
            fetched: Some(record.clone()),
            stored: Some(record),
            differences: Vec::new(),
            failure: None,
        })),
        duplicates: vec![(13, PlacedRecord { place: 1, id: "40000000001".into(), viewer_count: 118 })],
        steps: vec![trace_step()],
    }
}

/// A pull that was made once.
pub(crate) fn pull_trace() -> PullTrace {
    let pull = pull_facts();
    PullTrace {
        attempts: vec![PullAttempt {
            began_at: pull.started_at,
            by: "schedule".into(),
            from_stage: "extractor".into(),
            ended_at: pull.completed_at,
            outcome: "success".into(),
            error: None,
            build: Some("0.1.0".into()),
            counts: Some((3_800, 150)),
        }],
        stages: vec![StageWork {
            stage: "extractor".into(),
            build: "0.1.0".into(),
            action: "RECEIVE".into(),
            chunks: 40,
            failed: 0,
            calls: 41,
            first_at: pull.started_at,
            last_at: pull.started_at + TimeDelta::seconds(31),
        }],
        steps: vec![trace_step()],
        pull,
    }
}

/// A channel that is known, and a stream of it.
pub(crate) fn channel_trace() -> (CatalogueTrace, Vec<Sighting>) {
    let known = Some(("ada".to_owned(), now() - TimeDelta::hours(3), PullId(2)));
    let sighting = Sighting {
        pull_id: PullId(7),
        pulled_at: pull_facts().started_at,
        stream_id: "40000000001".into(),
        chunk: 12,
        channel_login: "ada".into(),
        game_name: "Chess".into(),
        viewer_count: 120,
        title: "hello".into(),
    };
    (CatalogueTrace { id: "123".into(), known, missing: None }, vec![sighting])
}

/// The end of a pull, in a line of time.
pub(crate) fn history_entry() -> HistoryEntry {
    HistoryEntry {
        at: now() - TimeDelta::minutes(3),
        kind: "pull".into(),
        trouble: false,
        stage: None,
        pull_id: Some(PullId(7)),
        detail: "complete: 3800 streams, 150 rejected".into(),
    }
}

/// An alarm that nobody has acknowledged.
pub(crate) fn alarm() -> AlarmRow {
    AlarmRow {
        id: 3,
        at: now(),
        subject: "pulls".into(),
        kind: "volume".into(),
        pull_id: Some(PullId(7)),
        detail: "pull 7 has 3800 streams; the median of this hour in the last seven days is 9000".into(),
        acknowledged_at: None,
        acknowledged_by: None,
        note: None,
    }
}

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
