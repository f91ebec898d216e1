//! What happened last night, in one line of time: from every table that remembers it, and nothing from before.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fake_twitch::{World, WorldConfig};
use serde_json::Value;
use shared::{dead_letter::DeadLetterStore, schema::ChunkRef};

use crate::{
    builders::{dead_letter, now},
    dead_letter_rig::{operator, operator_json},
    rig::Rig,
};

/// A night: two builds of a worker, one that vanished, a pause for trouble, a slot without a pull, an alarm, a replay and a rerun.
const NIGHT: &str = "
    update pull set status = 'failed', completed_at = now(), error = 'chunk 1 at finalizer: it is poison' where id = 1;
    insert into missed_slot values (now() - interval '5 h', 'overlap: pull 1 is still pending', now());
    insert into worker_history (at, stage, replica, build, host, event, code, reason) values
        (now() - interval '6 h', 'finalizer', 'a', '1.0.0', 'h', 'started', null, null),
        (now() - interval '5 h', 'finalizer', 'a', '1.0.0', 'h', 'stopped', null, null),
        (now() - interval '4 h', 'finalizer', 'b', '1.1.0', 'h', 'started', null, null),
        (now() - interval '3 h', 'finalizer', 'b', '1.1.0', 'h', 'paused', 'store.unreachable', 'PostgreSQL cannot be reached'),
        (now() - interval '2 h', 'finalizer', 'b', '1.1.0', 'h', 'vanished', null, null),
        (now() - interval '13 h', 'finalizer', 'z', '0.9.0', 'h', 'stopped', null, null);
    insert into alarm (at, queue, kind, detail) values (now() - interval '1 h', 'finalizer.dead', 'first', '1 dead letter');
    insert into replay (requested_at, requested_by, filter, active_until, ended_at, ending)
        values (now(), 'ada', '--stage finalizer', now(), now(), 'all sent');
    insert into pull_rerun values (1, now(), 'ada', 'finalizer', '1.1.0', 'failed')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_is_one_line_of_time_with_everything_that_happened() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let pull_id = rig.store.request_pull("ada", now() - TimeDelta::hours(7)).await.expect("a pull");
    let chunk = ChunkRef { pull_id, pulled_at: now(), chunk: 1 };
    rig.store.record(&dead_letter("finalizer", chunk)).await.expect("a dead letter");
    rig.db.batch_execute(NIGHT).await.expect("a night");
    operator_json(&rig, "pause finalizer --by ada --reason maintenance").await;
    operator_json(&rig, "resume finalizer --by bela").await;

    let (code, out, err) = operator(&rig, "history --since 12h --json").await;
    assert_eq!(code, 0, "{err}");
    let entries: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let times: Vec<DateTime<Utc>> =
        entries.iter().map(|entry| entry["at"].as_str().expect("a time").parse().expect("a time")).collect();
    assert!(times.is_sorted(), "{out}");
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in &entries {
        let (kind, detail) = (entry["kind"].as_str().expect("a kind"), entry["detail"].as_str());
        kinds.entry(kind).or_default().push(detail.expect("words"));
    }
    let expected: [(&str, &[&str]); 10] = [
        ("alarm", &["finalizer.dead (first): 1 dead letter"]),
        ("dead-letters", &["1, test: test"]),
        ("missed-slot", &["overlap: pull 1 is still pending"]),
        ("order", &["pause by ada: maintenance", "resume by bela"]),
        ("pause", &["paused on h: PostgreSQL cannot be reached"]),
        ("pull", &["started for ada", "failed: chunk 1 at finalizer: it is poison"]),
        ("replay", &["replay 1 by ada: --stage finalizer; all sent"]),
        ("rerun", &["by ada; it was failed"]),
        ("upgrade", &["1.1.0, was 1.0.0, on h"]),
        ("worker", &["started on h", "stopped on h", "vanished on h"]),
    ];
    let expected: BTreeMap<&str, Vec<&str>> =
        expected.into_iter().map(|(kind, details)| (kind, details.to_vec())).collect();
    assert_eq!(kinds, expected, "and nothing from before the night");
    let trouble = entries.iter().filter(|entry| entry["trouble"] == true).count();
    assert_eq!(trouble, 6, "failed, missed, paused, vanished, dead, alarm: {out}");
    rig.end(&[]).await;
}
