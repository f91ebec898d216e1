//! Who waits for whom at the lake: an erasure for compactions and for exports under way, and nobody for storage that is slow.

use std::time::Duration;

use axum::http::Method;
use chrono::TimeDelta;
use clap::{Args, Parser};
use exporter::{Exporter, Storage};
use fake_twitch::{World, WorldConfig};
use serde_json::json;
use shared::{
    config,
    lake::LakeErasure,
    scrub::Scrubber,
    store::{LakeAction, LakeLock},
};
use tokio::sync::oneshot;

use super::{
    export::exported,
    facts::{files, rows},
    s3::S3,
};
use crate::{dead_letter_rig::operator_json, eventually::eventually, rig::Rig};

/// Waits until somebody waits for a lock of the lake.
pub(super) async fn somebody_waits(rig: &Rig) {
    eventually("somebody should wait for a lock of the lake", || async {
        let sql = "select count(*) from pg_locks where locktype = 'advisory' and not granted
                   and database = (select oid from pg_database where datname = current_database())";
        let waiting: i64 = rig.db.query_one(sql, &[]).await.expect("a count").get("count");
        if waiting > 0 { Ok(()) } else { Err(waiting) }
    })
    .await;
}

/// The channel with the most viewers of what was collected.
async fn a_channel(rig: &Rig) -> String {
    let sql = "select channel_id from pull_data order by viewer_count desc limit 1";
    rig.db.query_one(sql, &[]).await.expect("a channel").get("channel_id")
}

/// An exporter to a bucket.
pub(super) fn exporter_to(rig: &Rig, s3: &S3) -> Exporter {
    #[derive(Parser)]
    struct Cli<S: Args> {
        #[command(flatten)]
        settings: S,
    }
    let endpoint = format!("--lake-endpoint={}", s3.endpoint);
    let keys = tempfile::tempdir().expect("a folder");
    let key = keys.path().join("key");
    std::fs::write(&key, "a-key").expect("a file");
    let key = key.display();
    let flags = [
        "test".to_owned(),
        "--lake-url=s3://lake/twitch".to_owned(),
        endpoint,
        format!("--lake-access-key-id-file={key}"),
        format!("--lake-secret-access-key-file={key}"),
    ];
    let settings = Cli::<config::Lake>::try_parse_from(flags).expect("settings").settings;
    let storage = Storage::open(&settings).expect("a bucket");
    Exporter::of(rig.own_store("exporter"), storage, rig.setup.clock.clone(), TimeDelta::days(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_waits_for_a_compaction_with_the_fewest_connections_by_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(20))).await;
    rig.start_all();
    rig.start_exporter(folder.path()).await;
    let pull = rig.whole_pull().await.pull_id;
    exported(&rig, pull).await;
    let id = a_channel(&rig).await;

    // A compaction in another replica, for as long as this test wants it.
    let (go_on, end) = oneshot::channel::<()>();
    let (begun, begins) = oneshot::channel::<()>();
    let store = rig.store.clone();
    let compaction = tokio::spawn(async move {
        let work = async {
            begun.send(()).expect("awaited");
            end.await.expect("ended");
            Ok::<_, shared::store::Error>(())
        };
        store.with_lake_lock(LakeLock::Upkeep, Duration::from_secs(10), work).await
    });
    begins.await.expect("begun");
    let scrubber = Scrubber::new(&id, [], true).expect("random numbers");
    let asked = serde_json::to_value(LakeErasure { scrubber, dry_run: false }).expect("JSON");
    let now = rig.setup.clock.now();
    let request = rig.store.request_lake(LakeAction::Erase, &asked, "me", now).await.expect("asked");
    somebody_waits(&rig).await;
    let state = rig.store.lake_request(request).await.expect("an answer").expect("a request");
    assert!(state.started && state.outcome.is_none(), "it waits: {state:?}");
    go_on.send(()).expect("awaited");
    compaction.await.expect("no panic").expect("its lock was held");
    eventually("the erasure should be done", || async {
        let state = rig.store.lake_request(request).await.expect("an answer").expect("a request");
        state.outcome.ok_or("not yet")
    })
    .await
    .expect("erased");
    assert_eq!(operator_json(&rig, "lake compact").await["compacted"], json!([]), "nobody holds the lock");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_is_under_way_leaves_nothing_of_an_erased_channel() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(20))).await;
    rig.start_all();
    let pull = rig.whole_pull().await.pull_id;
    rig.stop_all().await;
    let closed = rig.store.closed(pull).await.expect("an answer").expect("closed");
    let s3 = S3::start().await;
    let (exporter, now) = (exporter_to(&rig, &s3), rig.setup.clock.now());
    let id = a_channel(&rig).await;

    // It has read its rows, and its last file is on the way.
    let held = s3.hold(Method::PUT, "/channel/");
    let lake = exporter.lake().clone();
    let export = tokio::spawn(async move { lake.export(&closed, now).await });
    held.begun().await;
    rig.store.request_lake(LakeAction::Erase, &json!({}), "me", now).await.expect("asked");
    let (lake, scrubber) = (exporter.lake().clone(), Scrubber::new(&id, [], true).expect("random numbers"));
    let asked = scrubber.clone();
    let erasure = tokio::spawn(async move { lake.erase(asked, now).await });
    somebody_waits(&rig).await;
    held.go_on();
    export.await.expect("no panic").expect_err("its rows are of before the erasure");
    let left = erasure.await.expect("no panic").expect("erased");
    assert!(left.rows.is_empty(), "{left:?}");
    let found = exporter.lake().search(scrubber).await.expect("searched");
    assert!(found.rows.is_empty(), "no file names the channel: {found:?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_leaves_no_file_that_was_being_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(20))).await;
    rig.start_all();
    let pull = rig.whole_pull().await.pull_id;
    rig.stop_all().await;
    let closed = rig.store.closed(pull).await.expect("an answer").expect("closed");
    let (exporter, now) = (rig.exporter(folder.path()), rig.setup.clock.now());
    exporter.lake().export(&closed, now).await.expect("exported");
    let written =
        files(folder.path()).into_iter().find(|file| file.contains("/stream_peek/")).expect("a file");
    let (written, unfinished) = (folder.path().join(&written), folder.path().join(format!("{written}#1")));
    std::fs::copy(written, &unfinished).expect("as if a process had died just now");
    let scrubber = Scrubber::new(&a_channel(&rig).await, [], true).expect("random numbers");
    exporter.lake().erase(scrubber, now).await.expect("erased");
    assert!(!unfinished.exists());
    let streams =
        files(folder.path()).into_iter().find(|file| file.contains("/stream_peek/")).expect("a file");
    assert_eq!(rows(folder.path(), &streams, "stream_peek").len(), 20);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_storage_that_removes_slowly() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let s3 = S3::start().await;
    let (exporter, now) = (exporter_to(&rig, &s3), rig.setup.clock.now());
    exporter.lake().open(now).await.expect("an empty lake");
    let old = "insert into lake.ducklake_files_scheduled_for_deletion
               select n, 'hot/game/day=2026-11-01/pull-' || n || '.parquet', true, now() - interval '2 days' from generate_series(1, 1200) n";
    rig.db.batch_execute(old).await.expect("files that left the catalogue");
    let held = s3.hold(Method::DELETE, "/pull-1.parquet");
    let lake = exporter.lake().clone();
    let tidying = tokio::spawn(async move { lake.tidy(TimeDelta::days(1), now).await });
    held.begun().await;
    let free: bool = rig
        .db
        .query_one("select pg_try_advisory_xact_lock(hashtext('lake')) as free", &[])
        .await
        .expect("an answer")
        .get("free");
    assert!(free, "exports are committed meanwhile");
    let idle = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'";
    let idle: i64 = rig.db.query_one(idle, &[]).await.expect("a count").get("count");
    assert_eq!(idle, 0, "no session is left in a transaction for as long as it takes");
    held.go_on();
    let tidied = tidying.await.expect("no panic").expect("tidied");
    assert_eq!(tidied.removed, 1200);
    rig.end(&[]).await;
}
