//! Several exporters at once, one that loses its sessions, and a day with more files than are compacted at a time: what is in the lake is
//! there once.

use axum::http::Method;
use exporter::format::{Encoded, FileBuilder};
use fake_twitch::{World, WorldConfig};
use shared::{
    failure::Class,
    lake::{Kind, LakeFile, Row, Table, Value, folder},
    schema::PullClosed,
    store::{Exported, PullFiles},
};

use super::{
    facts::{files, rows, sha256},
    locks::{exporter_to, somebody_waits},
    s3::S3,
};
use crate::{retention::succeeded, rig::Rig};

async fn rig() -> Rig {
    Rig::new(World::generate(WorldConfig::plain(20))).await
}

/// A pull that is complete, and nobody exports.
async fn completed(rig: &Rig) -> PullClosed {
    let pull = succeeded(rig, 0).await;
    rig.store.closed(pull).await.expect("an answer").expect("closed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_exporters_that_find_the_files_of_a_dead_one_register_them_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let rig = rig().await;
    let (pull, now) = (completed(&rig).await, rig.setup.clock.now());
    let [dead, one, other] = [(); 3].map(|()| rig.exporter(folder.path()));
    dead.lake().export(&pull, now).await.expect("exported");
    let uploaded = files(folder.path());
    rig.db
        .batch_execute(
            "delete from lake.ducklake_data_file; delete from lake.export; delete from lake.manifest",
        )
        .await
        .expect("as if it had died before it registered them");

    let (a, b) = tokio::join!(one.lake().export(&pull, now), other.lake().export(&pull, now));
    let mut outcomes = [a.expect("exported"), b.expect("exported")];
    outcomes.sort_by_key(|outcome| *outcome == Some(Exported::Now));
    assert_eq!(outcomes, [Some(Exported::Before), Some(Exported::Now)]);
    assert_eq!(files(folder.path()), uploaded, "they are the same files");
    let findings = one.lake().verify(now).await.expect("verified");
    assert!(findings.is_well() && findings.files == 4, "{findings:?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exporter_whose_sessions_end_in_the_middle_exports_the_pull_once() {
    let rig = rig().await;
    let s3 = S3::start().await;
    let (pull, exporter, now) = (completed(&rig).await, exporter_to(&rig, &s3), rig.setup.clock.now());
    // Its rows are read, and its last file is on the way.
    let held = s3.hold(Method::PUT, "/channel/");
    let (lake, cut_short) = (exporter.lake().clone(), pull.clone());
    let export = tokio::spawn(async move { lake.export(&cut_short, now).await });
    held.begun().await;
    let end = "select count(pg_terminate_backend(pid)) as sessions from pg_stat_activity
               where datname = current_database() and application_name like 'exporter%'";
    let ended: i64 = rig.db.query_one(end, &[]).await.expect("the owner may").get("sessions");
    assert!(ended > 1, "one that holds a lock, and others: {ended}");
    held.go_on();
    // As a worker does with a message, it is tried again while the failure is the database's: the first attempt may have missed
    // its lock, and the second may be given another session that has ended, after which none of before is used.
    let mut attempts = vec![export.await.expect("no panic")];
    while !matches!(attempts.last(), Some(Ok(Some(Exported::Before)))) && attempts.len() < 4 {
        attempts.push(exporter.lake().export(&pull, now).await);
    }
    for failure in attempts.iter().filter_map(|attempt| attempt.as_ref().err()) {
        assert_eq!(failure.class, Class::Outage, "no message pays for it: {failure:?}");
    }
    let done = |wanted| attempts.iter().flatten().filter(|done| **done == Some(wanted)).count();
    assert_eq!((done(Exported::Now), done(Exported::Before)), (1, 1), "{attempts:?}");
    let commits =
        "select count(*) as n from lake.ducklake_snapshot_changes where commit_message like 'pull %'";
    let commits: i64 = rig.db.query_one(commits, &[]).await.expect("a count").get("n");
    assert_eq!(commits, 1);
    // What the first attempt has uploaded may be left over, for the sweep.
    let findings = exporter.lake().verify(now).await.expect("verified");
    assert_eq!((findings.files, &findings.missing, &findings.damaged), (4, &vec![], &vec![]), "{findings:?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_writers_of_a_manifest_the_slower_does_not_undo_the_newer() {
    let rig = rig().await;
    let s3 = S3::start().await;
    let (first, second) = (completed(&rig).await, completed(&rig).await);
    let (one, other) = (exporter_to(&rig, &s3), exporter_to(&rig, &s3));
    let now = rig.setup.clock.now();
    other.lake().open(now).await.expect("an empty lake");
    // The first has committed, and its manifest is on the way when the second commits to the same folder.
    let held = s3.hold(Method::PUT, "_manifest.json");
    let slow = tokio::spawn(async move { one.lake().export(&first, now).await });
    held.begun().await;
    let fast = tokio::spawn(async move { other.lake().export(&second, now).await });
    somebody_waits(&rig).await;
    held.go_on();
    for export in [slow, fast] {
        assert_eq!(export.await.expect("no panic").expect("exported"), Some(Exported::Now));
    }
    let objects = s3.objects();
    for manifest in rig.store.lake_manifests().await.expect("manifests") {
        let name = format!("{}_manifest.json", manifest.folder);
        let stored =
            objects.iter().find(|(key, _)| key.ends_with(&format!("/{name}"))).expect("a manifest").1;
        assert_eq!(*stored, manifest.content.as_bytes(), "{name}");
        assert_eq!(manifest.content.matches("content_length").count(), 2, "{name} has both pulls");
    }
    rig.end(&[]).await;
}

/// A row of a table, told from others by its number.
fn row(table: &Table, number: i64) -> Row {
    let value = |kind| match kind {
        Kind::Int32 | Kind::Int64 => Value::Int(number),
        Kind::Boolean => Value::Bool(true),
        Kind::Time => Value::Time(crate::builders::now()),
        Kind::Text(_) => Value::Text(String::new()),
        Kind::Texts(_) => Value::Texts(Vec::new()),
    };
    table.columns.iter().map(|column| value(column.kind)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_more_files_than_are_compacted_at_a_time_becomes_one_file() {
    const FILES: i64 = 300;
    let folder_of_lake = tempfile::tempdir().expect("a folder");
    let rig = rig().await;
    let (pull, now) = (completed(&rig).await, rig.setup.clock.now());
    let exporter = rig.exporter(folder_of_lake.path());
    let lake = exporter.lake();
    lake.open(now).await.expect("an empty lake");
    let table = Table::find("pull").expect("a table");
    let day = pull.started_at.date_naive();
    let mut added = Vec::new();
    for number in 0..FILES {
        let Encoded { bytes, rows, footer, columns } =
            FileBuilder::encode(table, vec![row(table, number)]).expect("a file");
        let path = format!("{}pull-{number}.parquet", folder(table.name, day, false));
        assert!(lake.storage.create(&path, bytes.clone().into()).await.expect("written"));
        added.push(LakeFile {
            table_id: table.id,
            path,
            record_count: rows,
            file_size_bytes: i64::try_from(bytes.len()).expect("a small file"),
            footer_size: footer,
            sha256: sha256(&rig, &bytes).await,
            columns,
        });
    }
    let mark = (table.name, added[0].path.clone(), Some(added[0].sha256.clone()), FILES);
    let many = PullFiles { added, marks: vec![mark], ..PullFiles::default() };
    let committed = rig.store.commit_export(&pull, day, &many, &[], now).await.expect("committed");
    assert_eq!(committed, Exported::Now);

    let compacted = lake.compact(table, day, now).await.expect("compacted").expect("something to do");
    assert_eq!((compacted.before, compacted.after, compacted.rows), (300, 1, FILES));
    let left = rig.store.lake_files(table.id, &[]).await.expect("files");
    assert_eq!(left.len(), 1, "{left:?}");
    let numbers: Vec<Value> = rows(folder_of_lake.path(), &left[0].path, "pull")
        .into_iter()
        .map(|mut row| row.swap_remove(0))
        .collect();
    assert_eq!(numbers, (0..FILES).map(Value::Int).collect::<Vec<_>>(), "each once, in their order");
    let findings = lake.verify(now).await.expect("verified");
    assert!(findings.is_well(), "{findings:?}");
    rig.end(&[]).await;
}
