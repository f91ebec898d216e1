//! What goes wrong: storage that is unavailable pauses the exporter and nobody else, bad data is a dead letter, and a process that
//! dies leaves nothing behind.

use std::time::Duration;

use fake_twitch::{World, WorldConfig};
use shared::{schema::PullClosed, steering::PAUSED_BY_PERSON, store::Exported};

use super::{
    export::exported,
    facts::{files, rows},
};
use crate::{
    dead_letter_rig::{operator, operator_json},
    eventually::eventually,
    rig::Rig,
    scripted::paused,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storage_that_is_away_pauses_the_exporter_alone_and_it_catches_up_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("lake");
    std::fs::create_dir(&place).expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    rig.start_all();
    rig.start_exporter(&place).await;
    let first = rig.whole_pull().await.pull_id;
    exported(&rig, first).await;

    // As if the volume were no longer mounted: an empty folder stands in its place.
    std::fs::rename(&place, folder.path().join("away")).expect("away");
    std::fs::create_dir(&place).expect("a folder");
    let second = rig.whole_pull().await.pull_id;
    let third = rig.whole_pull().await.pull_id;
    eventually("the exporter should be paused and say why", || async {
        let status = operator_json_of_status(&rig).await;
        let text = status.to_string();
        if text.contains("lake.storage_missing") || text.contains("Is it mounted?") {
            Ok(())
        } else {
            Err(text)
        }
    })
    .await;
    assert_eq!(files(&place), Vec::<String>::new(), "nothing is written to the wrong place");

    std::fs::remove_dir_all(&place).expect("gone");
    std::fs::rename(folder.path().join("away"), &place).expect("back");
    exported(&rig, second).await;
    exported(&rig, third).await;
    let order = "select array_agg(pull_id order by data_file_id) from lake.export e
                 join lake.ducklake_data_file f using (path) where table_name = 'pull'";
    let order: Vec<i64> = rig.db.query_one(order, &[]).await.expect("an order").get(0);
    assert_eq!(order, [first.0, second.0, third.0]);
    let dead: i64 = rig.db.query_one("select count(*) from dead_letter", &[]).await.expect("a count").get(0);
    assert_eq!(dead, 0);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_exporter_exports_nothing_but_what_it_is_asked_for_and_catches_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    rig.start_all();
    rig.start_exporter(folder.path()).await;
    let (code, _, err) = operator(&rig, "pause exporter --by anna --reason inventory").await;
    assert_eq!(code, 0, "{err}");
    let told = paused(&rig, "exporter", PAUSED_BY_PERSON).await;
    assert!(told.reason.is_some_and(|reason| reason.ends_with("inventory")));
    let first = rig.whole_pull().await.pull_id;
    let second = rig.whole_pull().await.pull_id;
    rig.waits("exporter", 2).await;
    assert_eq!(files(folder.path()), Vec::<String>::new());

    let ran = operator_json(&rig, "run-once exporter").await;
    assert_eq!(ran["outcome"], "settled", "{ran}");
    exported(&rig, first).await;
    rig.waits("exporter", 1).await;
    let top = operator_json(&rig, "top --looks 1").await;
    let stages = top["stages"].as_array().expect("stages");
    let exporter = stages.iter().find(|stage| stage["stage"] == "exporter").expect("the exporter");
    assert!(exporter["oldest_seconds"].is_number(), "the second pull waits: {top}");
    let status = operator_json_of_status(&rig).await.to_string();
    assert!(status.contains("the exporter is paused by anna: inventory"), "{status}");

    operator_json(&rig, "resume exporter").await;
    exported(&rig, second).await;
    rig.end(&[]).await;
}

async fn operator_json_of_status(rig: &Rig) -> serde_json::Value {
    let (_, out, err) = operator(rig, "status --json").await;
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_whose_rows_are_gone_is_a_dead_letter_and_a_replay_exports_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    rig.start_all();
    let pull = rig.whole_pull().await.pull_id;
    rig.db
        .batch_execute("create table kept as select * from pull_data; delete from pull_data")
        .await
        .expect("gone");
    rig.start_exporter(folder.path()).await;
    let closed = rig.store.closed(pull).await.expect("an answer").expect("closed");
    rig.announcer.announce(vec![shared::topology::EXPORTER.repeat(&closed)]).await.expect("announced");
    eventually("there should be a dead letter", || async {
        // Fails while there is none.
        let (_, list, err) = operator(&rig, "dead-letters list --stage exporter --json").await;
        if list.contains("\"lake.rows_missing\"") { Ok(()) } else { Err((list, err)) }
    })
    .await;
    assert_eq!(files(folder.path()).iter().filter(|file| file.contains("stream_peek")).count(), 0);
    let missing = async || rig.store.pulls_without_lake(rig.setup.clock.now(), 10).await.expect("pulls");
    let told = async || {
        let status = operator_json(&rig, "lake status").await;
        (status["missing"].as_i64(), status["left_out"].as_i64())
    };
    assert_eq!(told().await, (Some(1), Some(0)), "it waits for a person");
    // Discarded, it is not exported all the same minutes later, and nothing waits for it; restored, it is a dead letter again.
    operator_json(&rig, "dead-letters discard --stage exporter --yes").await;
    assert_eq!(missing().await, []);
    assert_eq!(told().await, (Some(0), Some(1)));
    let id: i64 = rig.db.query_one("select id from dead_letter", &[]).await.expect("a dead letter").get("id");
    operator_json(&rig, &format!("dead-letters restore {id} --yes")).await;
    assert_eq!(missing().await, []);
    assert_eq!(told().await, (Some(1), Some(0)));
    rig.db.batch_execute("insert into pull_data select * from kept").await.expect("back");
    operator_json(&rig, "dead-letters replay --stage exporter --yes").await;
    exported(&rig, pull).await;
    rig.end(&[]).await;
}

/// A pull that is complete, and nobody exports.
async fn completed(rig: &mut Rig) -> PullClosed {
    rig.start_all();
    let pull = rig.whole_pull().await.pull_id;
    rig.stop_all().await;
    rig.store.closed(pull).await.expect("an answer").expect("closed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_an_export_is_cut_short_the_pull_is_in_the_lake_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
    let pull = completed(&mut rig).await;
    let exporter = rig.exporter(folder.path());
    let now = rig.setup.clock.now();
    let snapshots = "select count(*) from lake.ducklake_snapshot_changes where commit_message is not null";
    for cut in 0..50_u64 {
        let (lake, pull) = (exporter.lake().clone(), pull.clone());
        let task = tokio::spawn(async move { lake.export(&pull, now).await });
        tokio::time::sleep(Duration::from_millis(cut * 3)).await;
        task.abort();
        let _ = task.await;
        let done: i64 = rig.db.query_one(snapshots, &[]).await.expect("a count").get(0);
        let rows: i64 = rig
            .db
            .query_one("select coalesce(sum(record_count), 0)::bigint from lake.ducklake_data_file where table_id = 2", &[])
            .await
            .expect("a count")
            .get(0);
        assert_eq!(rows, done * 250, "nothing or everything");
        if done == 1 && cut % 7 != 0 {
            // Begin again from nothing in the catalogue; what was uploaded stays, as after a crash.
            rig.db
                .batch_execute(
                    "delete from lake.ducklake_data_file; delete from lake.ducklake_file_column_stats; delete from lake.export;
                     delete from lake.ducklake_snapshot_changes where commit_message is not null; delete from lake.manifest",
                )
                .await
                .expect("begun again");
        }
    }
    exporter.lake().export(&pull, now).await.expect("exported");
    let again = exporter.lake().export(&pull, now).await.expect("exported");
    assert_eq!(again, Some(Exported::Before));
    let found = files(folder.path());
    assert_eq!(found.len(), 4, "every attempt has made the same files: {found:?}");
    assert!(exporter.lake().verify(now).await.expect("verified").is_well());
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_exporters_racing_on_a_pull_make_one_of_it_and_the_bytes_are_the_same_every_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
    let pull = completed(&mut rig).await;
    let (one, other) = (rig.exporter(folder.path()), rig.exporter(folder.path()));
    let now = rig.setup.clock.now();
    let (a, b) = tokio::join!(one.lake().export(&pull, now), other.lake().export(&pull, now));
    let mut outcomes = [a.expect("exported"), b.expect("exported")];
    outcomes.sort_by_key(|outcome| *outcome == Some(Exported::Now));
    assert_eq!(outcomes, [Some(Exported::Before), Some(Exported::Now)]);
    let sums = "select array_agg(sha256 order by table_name) from lake.export";
    let before: Vec<String> = rig.db.query_one(sums, &[]).await.expect("sums").get(0);
    let found = files(folder.path());
    assert_eq!(found.len(), 4, "{found:?}");

    // Exported, lost, exported: the same bytes.
    let streams = found.iter().find(|file| file.contains("/stream_peek/")).expect("streams");
    let first = rows(folder.path(), streams, "stream_peek");
    for file in &found {
        std::fs::remove_file(folder.path().join(file)).expect("removed");
    }
    rig.db
        .batch_execute("delete from lake.ducklake_data_file; delete from lake.export")
        .await
        .expect("forgotten");
    other.lake().export(&pull, now).await.expect("exported");
    let after: Vec<String> = rig.db.query_one(sums, &[]).await.expect("sums").get(0);
    assert_eq!(before, after);
    assert_eq!(rows(folder.path(), streams, "stream_peek"), first);
    rig.end(&[]).await;
}
