//! Events, traces and history.

use chrono::TimeDelta;
use shared::{
    schema::PullId,
    store::{
        AlarmRow, CatalogueTrace, EventRow, HistoryEntry, PlacedRecord, PullAttempt, PullFacts, PullReport,
        PullSettings, PullTrace, Sighting, StageWork, StoredStream, StreamTrace, TraceStep, Whereabouts,
    },
};

use super::{now::now, pull::successful};

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
