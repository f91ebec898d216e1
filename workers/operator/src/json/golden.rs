//! Every document against its golden file: a script written for the last release must read this one's.

use serde::Serialize;
use shared::{
    dead_letters::Entered,
    runtime::{Difference, QueueDepth},
    schema::{ChunkRef, PullId},
    steering::StagePause,
    store::{
        Alarm, Migrated, MissedSlot, Outcome, Queued, RejectedGroup, RejectedRecord, Rerun, RetryRow,
        RunOnceReport, Ttl,
    },
    topology::{RetryDelays, queues},
    view::{About, Trouble},
};

use crate::{
    json,
    sample::{self, now},
    view::{self, Facts, Health, Vanished},
};

macro_rules! assert_golden {
    ($name:literal, $document:expr) => {
        assert_eq!(pretty(&$document), include_str!(concat!("golden/", $name, ".json")), $name)
    };
}

fn pretty(document: &impl Serialize) -> String {
    format!("{}\n", serde_json::to_string_pretty(document).unwrap())
}

#[test]
fn documents_of_pulls_keep_their_shape() {
    for (pull, line) in [sample::under_way(), sample::successful(), sample::failed()]
        .into_iter()
        .zip(include_str!("golden/pulls.ndjson").lines())
    {
        assert_eq!(serde_json::to_string(&json::PullReport::from(pull)).unwrap(), line);
    }
    assert_golden!("show", json::PullDetails::from(sample::pull_details()));
    assert_golden!("pull", json::Requested { pull_id: PullId(7), announced: true });
    assert_golden!("wait", json::Waited { outcome: "success", pull: sample::successful().into() });
    let rerun = Rerun {
        pull_id: PullId(7),
        from_stage: "game-enricher",
        build: "0.1.0",
        was_status: "success".into(),
        was_completed_at: Some(now()),
        was_build: None,
        without_games: vec![],
        without_channels: vec![],
        unmerged: vec![],
    };
    assert_golden!("rerun", json::Rerun::from(rerun));
}

#[test]
fn documents_of_what_happened_keep_their_shape() {
    assert_golden!("event", json::Event::from(sample::event()));
    assert_golden!("history", json::HistoryEntry::from(sample::history_entry()));
    assert_golden!("operation", json::Operation::from(sample::operation()));
    assert_golden!("operation-details", json::OperationDetails::from(sample::operation_details()));
    assert_golden!("alarm", json::Alarm::from(sample::alarm()));
    assert_golden!("trace-stream", json::StreamTrace::from(sample::stream_trace()));
    assert_golden!("trace-pull", json::PullTrace::from(sample::pull_trace()));
    assert_golden!("trace-channel", json::CatalogueTrace::from(sample::channel_trace()));
}

#[test]
fn documents_of_the_system_keep_their_shape() {
    assert_golden!("migrate", json::Migration::from(Migrated { version: 3, applied: vec!["pull"] }));
    let facts = Facts {
        under_way: vec![sample::under_way()],
        last_closed: Some(sample::failed()),
        missed_slots: vec![MissedSlot { slot: now(), reason: "overlap".into() }],
        stages: view::by_stage(&[]),
        silent: Vec::new(),
        paused: vec![sample::stage_pause()],
        workers: vec![sample::worker()],
        retries: vec![sample::retry()],
        vanished: vec![Vanished { stage: "finalizer".into(), letters: 2 }],
        alarms: vec![Alarm {
            at: now(),
            queue: "finalizer.dead".into(),
            kind: "first".into(),
            detail: "d".into(),
        }],
        erasures: Vec::new(),
        rejected: 12,
        database_trouble: None,
        broker_trouble: Some("away".into()),
    };
    let troubles = vec![Trouble { text: "away".into(), about: About::Broker }];
    let health = Health { well: false, verdict: "Not well: away.".into(), troubles, facts };
    assert_golden!("status", json::Status::from(health));
    let queues = queues(&RetryDelays::default());
    let depths = [QueueDepth { name: "extractor".into(), ready: Some(3), consumers: Some(1) }];
    assert_golden!("topology", json::Topology::new(&queues[..3], &depths, None));
}

#[test]
fn documents_of_dead_letters_keep_their_shape() {
    let page =
        view::DeadLetterPage { matching: 3, next_after: Some(17), dead_letters: vec![sample::dead_letter()] };
    assert_golden!("dead-letters", json::DeadLetterPage::from(page));
    assert_golden!("dead-letter-group", json::DeadLetterGroup::from(sample::dead_letter_group()));
    let dead_letter = sample::dead_letter_details();
    let details = view::DeadLetterDetails {
        former: vec![dead_letter.clone()],
        dead_letter,
        pull_status: Some("failed".into()),
    };
    assert_golden!("dead-letter", json::DeadLetterDetails::from(details));
    assert_golden!("hold", json::Held { letters: 3 });
    assert_golden!("discard", json::Discarded { discarded: 3 });
    assert_golden!("discard-dry-run", json::DiscardPreview { would_discard: 3 });
    assert_golden!("restore", json::Restored { restored: vec![17] });
    assert_golden!("import", json::Imported { imported: vec![17], there_already: 2 });
    assert_golden!("export", json::Exported { exported: 3 });
    let note = json::GroupNote { fingerprint: "ab".into(), note: Some("n".into()), owner: None };
    assert_golden!("note", note);
    assert_golden!("replay", json::ReplayReport::from(sample::replay_report()));
    let outcome = Outcome {
        id: 17,
        outcome: Some("done".into()),
        outcome_at: Some(now()),
        build: Some("1.2.0".into()),
        came_back_as: None,
    };
    let details = view::ReplayDetails { report: sample::replay_report(), outcomes: vec![outcome] };
    assert_golden!("replay-report", json::ReplayDetails::from(details));
    let preview = view::ReplayPreview { would_send: 9, held: 1, groups: vec![sample::dead_letter_group()] };
    assert_golden!("replay-dry-run", json::ReplayPreview::from(preview));
}

#[test]
fn documents_of_rejected_records_keep_their_shape() {
    let record = RejectedRecord {
        pull_id: 7,
        chunk: 3,
        place: 12,
        rule: "id".into(),
        detail: "it has none".into(),
        raw: "{}".into(),
    };
    assert_golden!("rejected-record", json::RejectedRecord::from(record));
    let group = RejectedGroup { rule: "id".into(), records: 12, pulls: 2, newest_pull: 7 };
    assert_golden!("rejected-group", json::RejectedGroup::from(group));
    let entered = Entered { entered: 3, duplicates: 1, remaining: 2, chunks: 1 };
    assert_golden!("rejected-replay", json::Revalidation::new(PullId(7), true, entered));
}

#[test]
fn documents_of_retention_keep_their_shape() {
    let classes = sample::retention();
    let due = classes[0].due.clone();
    let lines: Vec<String> = classes
        .into_iter()
        .map(|class| serde_json::to_string(&json::RetentionClass::from(class)).unwrap())
        .collect();
    assert_eq!(format!("{}\n", lines.join("\n")), include_str!("golden/retention.ndjson"));
    assert_golden!("retention-apply", json::RetentionRemoved::new(due, true));
    assert_golden!("retention-set", json::RetentionSet::new("pages", Ttl::days(90)));
}

#[test]
fn the_document_of_an_erasure_keeps_its_shape() {
    assert_golden!("erase", json::Erased::from(sample::erased()));
}

#[test]
fn documents_of_moving_in_keep_their_shape() {
    assert_golden!("shadow-compare", json::Shadowed::from(sample::shadowed().remove(0)));
    assert_golden!("shadow-flow", json::LegacyFlow::from(sample::legacy_flow()));
}

#[test]
fn documents_of_steering_keep_their_shape() {
    assert_golden!("pause", json::StagePause::from(sample::stage_pause()));
    assert_golden!("resume", json::Resumed { stage: "extractor".into(), was_paused: true });
    let report = RunOnceReport {
        taken_by: Some("host-1-2-0".into()),
        outcome: Some("settled".into()),
        message_id: Some("pull-requested/7".into()),
    };
    assert_golden!("run-once", json::RanOnce::new("extractor".into(), report));
    let queued = Queued::Chunk(ChunkRef { pull_id: PullId(7), pulled_at: now(), chunk: 3 }, now());
    let retry = RetryRow {
        stage: "channel-enricher".into(),
        message_id: "games-filled/7/3".into(),
        ..sample::retry()
    };
    let waiting = view::Waiting::new("channel-enricher", queued, &[retry]);
    assert_golden!("peek", json::WaitingMessage::from(waiting));
}

#[test]
fn documents_of_the_doctor_and_of_the_flow_keep_their_shape() {
    let examined = view::Examination {
        facts: Facts { paused: vec![sample::stage_pause()], ..Facts::default() },
        pull: Some(sample::under_way()),
        ..view::Examination::default()
    };
    assert_golden!("doctor", json::Diagnosis::from(view::Diagnosis::new(&examined, now())));
    let check = view::Check { name: "encoding", well: true, finding: "UTF8".into(), next: None };
    assert_golden!("doctor-preflight", json::Preflight::from(view::Preflight { checks: vec![check] }));
    let differences = vec![Difference::Missing("finalizer".into())];
    let plan = view::TopologyPlan { differences, bindings_compared: true };
    assert_golden!("topology-plan", json::TopologyPlan::from(plan));
    let facts = Facts {
        stages: view::by_stage(&[])[..1].to_vec(),
        under_way: vec![sample::under_way()],
        workers: vec![sample::worker()],
        paused: vec![StagePause { stage: "finalizer".into(), ..sample::stage_pause() }],
        ..Facts::default()
    };
    let oldest = [("extractor", now() - chrono::TimeDelta::seconds(3))];
    let flow = view::Flow::new(&facts, &oldest, &mut view::FlowRates::default(), now());
    assert_golden!("top", json::Flow::from(flow));
}
