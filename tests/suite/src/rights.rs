//! Least privilege: each program does its work as a user of its own, and can do nothing else.
//!
//! All tests run their programs as such users ([`crate::services`]); these look at the rights in PostgreSQL themselves. Of
//! RabbitMQ: [`crate::broker_rights`].

use std::collections::BTreeMap;

use fake_twitch::{Scenario, World, WorldConfig};
use shared::{
    dead_letter::{DeadLetter, DeadLetterStore, Replayed, Settled},
    failure::Failure,
    schema::{ChannelsFilled, ChunkStored, GamesFilled, PullId, PullRequested},
    store::{AlarmLimits, DeadLetterFilter, Error, Plan, Store},
    topology::{CHANNEL_ENRICHER, EXTRACTOR, FINALIZER, GAME_ENRICHER, REJECTED},
};
use tokio_postgres::Client;

use crate::{
    builders::{dead_letter, now},
    dead_letter_rig::{let_replays_run_out, message, operator, operator_json},
    eventually::eventually,
    process::{Options, Process},
    rig::Rig,
    truth::assert_matches_world,
};

const WORKERS: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_its_dead_letters_and_their_replay_need_no_other_rights() {
    let world = WorldConfig { tail: 30, test_record: true, ..WorldConfig::sized(300) };
    let rig = Rig::new(World::generate(world)).await;
    let running = WORKERS.map(|name| Process::start(&rig, name, &Options::default()));
    for process in &running {
        process.ready().await;
    }
    assert_eq!(users(&rig.db).await, WORKERS.map(str::to_owned), "each works as its own user");

    // A stage that dies fails the pull; its dead letters are replayed when it is well again.
    rig.twitch.world().play(&"users-gone".parse::<Scenario>().expect("the fake knows it"));
    let (code, _, err) = operator(&rig, "pull --wait").await;
    assert_eq!(code, 1, "{err}");
    eventually("somebody should be told", || async {
        let status: serde_json::Value =
            serde_json::from_str(&operator(&rig, "status --json").await.1).expect("JSON");
        if status["alarms"].as_array().is_some_and(|alarms| !alarms.is_empty()) {
            Ok(())
        } else {
            Err(status)
        }
    })
    .await;
    rig.twitch.world().heal();
    let dead_letters = |operator: serde_json::Value| operator["matching"].as_i64().expect("a number");
    let dead = dead_letters(operator_json(&rig, "dead-letters list").await);
    assert!(dead > 0);
    let replayed = operator_json(&rig, "dead-letters replay --all --yes").await;
    assert_eq!(replayed["letters"].as_i64(), Some(dead));
    let report = eventually("the replay should bring the pull back", || async {
        let report = rig.store.pull_report(PullId(1)).await.expect("a report");
        if report.status == "success" { Ok(report) } else { Err(report) }
    })
    .await;
    operator_json(&rig, "wait latest").await;
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;

    // What nobody can handle is given up by every stage, and lies there.
    let nowhere = message(1).0;
    let hopeless = [
        EXTRACTOR.request(&PullRequested { pull_id: PullId(404) }),
        GAME_ENRICHER.request(&ChunkStored(nowhere)),
        CHANNEL_ENRICHER.request(&GamesFilled(nowhere)),
        FINALIZER.request(&ChannelsFilled(nowhere)),
    ];
    rig.announcer.announce(hopeless.to_vec()).await.expect("announced");
    eventually("each stage should have its dead letter", || async {
        let list = operator_json(&rig, "dead-letters list").await;
        if dead_letters(list.clone()) == 4 { Ok(()) } else { Err(list) }
    })
    .await;
    everything_an_operator_asks(&rig).await;

    for process in running {
        let log = process.log();
        let denied = |line: &&String| {
            let line = line.to_lowercase();
            ["permission denied", "access_refused", "access-refused"].iter().any(|no| line.contains(no))
        };
        assert_eq!(log.iter().find(denied), None, "nothing is denied");
        process.terminate().await;
    }
    rig.end(&[(REJECTED, 1)]).await;
}

/// The programs that are connected, as their users' names tell.
async fn users(db: &Client) -> Vec<String> {
    let sql = "select usename::text as usename, application_name from pg_stat_activity
               where datname = current_database() and usename like 'suite\\_%' group by 1, 2";
    let rows = db.query(sql, &[]).await.expect("connections");
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for row in rows {
        let (user, program): (String, String) = (row.get("usename"), row.get("application_name"));
        assert_eq!(user, format!("suite_{}", program.replace('-', "_")));
        found.insert(program, user);
    }
    WORKERS.iter().filter(|name| found.contains_key(**name)).map(|name| (*name).to_owned()).collect()
}

/// The commands that have not been used yet; of the four dead letters none is left.
async fn everything_an_operator_asks(rig: &Rig) {
    for words in ["pulls", "show latest", "topology --declare", "dead-letters groups", "dead-letters show 1"]
    {
        let (code, _, err) = operator(rig, words).await;
        assert_eq!(code, 0, "{words}: {err}");
    }
    let list = operator_json(rig, "dead-letters list").await;
    let dead_letter = &list["letters"][0];
    let (group, id) = (dead_letter["fingerprint"].as_str().expect("a group"), &dead_letter["id"]);
    for words in [
        format!("dead-letters note {group} --note known --owner ada"),
        format!("dead-letters hold {id} --yes"),
        format!("dead-letters release {id} --yes"),
        format!("dead-letters discard {id} --yes"),
        format!("dead-letters restore {id} --yes"),
        "dead-letters report".to_owned(),
        "dead-letters discard --all --yes".to_owned(),
        "dead-letters export --state discarded".to_owned(),
        "rejected groups".to_owned(),
        "rejected list --pull 1".to_owned(),
        "rejected replay --pull 1 --min-viewers 0 --yes".to_owned(),
    ] {
        let (code, _, err) = operator(rig, &words).await;
        assert_eq!(code, 0, "{words}: {err}");
    }
    rig.succeeded(PullId(1)).await;
}

/// Fails if the database denied it; that it is in vain is fine.
fn allowed<T>(what: &str, result: Result<T, impl Into<Failure>>) {
    if let Err(failure) = result.map_err(Into::into) {
        assert!(!format!("{failure:?}").contains("permission denied"), "{what}: {failure:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_rarely_done_is_allowed_too() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let own = |program: &str| Store::new(&rig.database.url_of(program).into(), 2, program).expect("a store");
    let (now, chunk) = (now(), message(1).0);

    let extractor = own("extractor");
    allowed("a slot", extractor.open_slot(now, now).await);
    allowed("a slot that overlaps", extractor.open_slot(now + chrono::TimeDelta::minutes(1), now).await);
    allowed("missed slots", extractor.miss_slots(&[now - chrono::TimeDelta::hours(1)], "test", now).await);
    allowed("the last slot", extractor.last_slot().await);
    allowed("giving a pull up", extractor.fail_pull(PullId(1), "test", None, None, now).await);
    allowed("its event", extractor.closed(PullId(1)).await);
    allowed("rejects", extractor.rejected_by_rule(chunk).await);

    let finalizer = own("finalizer");
    allowed("stalled pulls", finalizer.stalled(std::time::Duration::ZERO, now).await);
    allowed("a rescue", finalizer.rescued(PullId(1)).await);
    for program in ["extractor", "finalizer", "operator"] {
        allowed("partitions ahead", own(program).ensure_partitions(now, 3).await);
    }
    allowed("old claims", finalizer.sweep_claims(now).await);
    allowed("closed pulls", finalizer.closed_since(now).await);
    allowed("giving a pull up", finalizer.fail_pull(PullId(1), "test", None, None, now).await);
    allowed("how workers are doing", finalizer.worker_states(now).await);
    allowed("what waits to be tried again", finalizer.retries(10).await);
    allowed("an election", finalizer.if_elected("test", async { Ok::<_, Error>(()) }).await);
    allowed("dead letters by queue", finalizer.dead_letters_by_queue(&["finalizer.dead".into()], 10).await);
    allowed(
        "dead letters held for a build",
        finalizer.release_for_build(&shared::version::Version::current(), now).await,
    );
    let limits = AlarmLimits { age: std::time::Duration::ZERO, growth: 1 };
    allowed("alarms", finalizer.raise_alarms(&["finalizer.dead".to_owned()], limits, now).await);

    // A replay that an operator began, and an extractor has to finish.
    leave_a_dead_letter(&rig).await;
    let filter = DeadLetterFilter::default();
    let plan = Plan { by: "test", ..Plan::default() };
    let (lease, dead_letters) = own("operator").plan_replay(&filter, &plan, now).await.expect("a replay");
    assert_eq!(dead_letters, 1);
    let_replays_run_out(&rig).await;
    allowed("interrupted replays", extractor.interrupted_replays(now).await);
    let taken = extractor.take_replay_over(lease.replay_id, now + chrono::TimeDelta::minutes(1)).await;
    let lease = taken.expect("it should be allowed").expect("it is interrupted");
    allowed("its dead letters", extractor.replay_dead_letters(lease, 10, now).await);
    allowed("how far it got", extractor.replay_reached(lease, &[1], "sent").await);
    allowed("what is out", extractor.replay_removed(lease.replay_id, &[1], now).await);
    allowed("what is lost", extractor.replay_lost(lease.replay_id, &[1], now).await);
    allowed("its report", extractor.replay_report(lease.replay_id).await);
    allowed("its end", extractor.end_replay(lease.replay_id, "test", now).await);

    for program in ["game-enricher", "channel-enricher", "finalizer"] {
        let failed = own(program).fail_chunk(chunk, "test", &dead_letter(program, chunk), now).await;
        allowed("giving a chunk up", failed);
    }
    for program in WORKERS {
        let replayed = Replayed { replay_id: lease.replay_id, letter_id: 1 };
        let again = DeadLetter { replayed: Some(replayed), ..dead_letter(program, chunk) };
        allowed("recording a dead letter", own(program).record(&again).await);
        let settled = Settled {
            queued: vec![again.letter.clone()],
            replays: vec![replayed],
            recovered: vec![again.letter],
        };
        allowed("what became of deliveries", own(program).settle(&settled, now).await);
    }
    allowed("a comparison", extractor.compare_page("finalizer.dead", now, &[]).await);
    allowed("what should be in the queues", extractor.queued_dead_letters().await);
    allowed("vanished dead letters", extractor.note_vanished("finalizer.dead", now).await);
    rig.end(&[]).await;
}

/// A dead letter in the dead-letter store alone.
async fn leave_a_dead_letter(rig: &Rig) {
    let sql = "insert into dead_letter (letter, queue, stage, class, code, message, causes, fingerprint, attempts,
                   first_failed_at, last_failed_at, build, host, generation, message_id, kind, properties, body, state_at, queued_at)
               values ('test', 'finalizer.dead', 'finalizer', 'permanent', 'test', '', '', 'test', 1, now(), now(), '', '',
                       0, '', '', '{}', '', now(), now())";
    rig.db.batch_execute(sql).await.expect("a dead letter");
}
