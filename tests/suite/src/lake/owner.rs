//! Whose the storage is: one catalogue's, which removes nothing from it but its own files.

use std::{fs, path::Path, process::Command, time::SystemTime};

use chrono::TimeDelta;
use exporter::{Exporter, Storage};
use fake_twitch::{World, WorldConfig};
use secrecy::ExposeSecret;
use shared::store::Exported;

use crate::{
    dead_letter_rig::{operator, operator_json, owner},
    process::binary,
    rig::Rig,
};

/// Where a marker is.
fn marker(folder: &Path) -> std::path::PathBuf {
    folder.join("_lake")
}

/// Writes a file that has been there for weeks.
fn write_long_ago(path: &Path) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, "precious").expect("a file");
    let file = fs::File::options().write(true).open(path).expect("a file");
    file.set_modified(SystemTime::now() - std::time::Duration::from_hours(30 * 24)).expect("old");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_removes_old_files_of_ours_that_nothing_names_and_no_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let day = "day=2026-11-23";
    let foreign = [
        "customers.csv".to_owned(),
        format!("backup/stream_peek/{day}/day-g1.parquet"),
        format!("stream_peek/{day}/ours.parquet"),
        format!("hot/game/{day}/pull-7-copy.parquet"),
        format!("hot/orders/{day}/pull-7.parquet"),
        format!("hot/game/{day}/notes.parquet#1"),
        format!("hot/game/{day}/_manifest.json"),
    ];
    let ours = [
        format!("hot/game/{day}/pull-7.parquet"),
        format!("stream_peek/{day}/day-g2-2.parquet"),
        format!("hot/game/{day}/pull-8.parquet#1"),
    ];
    let (exporter, now) = (rig.exporter(folder.path()), rig.setup.clock.now());
    exporter.lake().open(now).await.expect("an empty place");
    foreign.iter().chain(&ours).for_each(|path| write_long_ago(&folder.path().join(path)));
    let tidied = exporter.lake().tidy(TimeDelta::days(1), now).await.expect("tidied");
    assert_eq!(tidied.orphans, ours.len());
    for path in &foreign {
        assert!(folder.path().join(path).exists(), "{path} is not ours to remove");
    }
    for path in &ours {
        assert!(!folder.path().join(path).exists(), "{path}");
    }
    rig.end(&[]).await;
}

/// What a program says that is started on a lake, and its exit code.
fn start(rig: &Rig, folder: &Path) -> (Option<i32>, String) {
    let output = Command::new(binary("exporter"))
        .env("DATABASE_URL", rig.database.url_of("exporter"))
        .env("AMQP_URL", rig.amqp_url_of("exporter").expose_secret())
        .env("LAKE_URL", folder)
        .args(["config", "check"])
        .output()
        .expect("started");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_of_another_catalogue_is_refused_and_left_as_it_is() {
    let (folder, elsewhere) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut production = Rig::new(World::generate(WorldConfig::plain(20))).await;
    production.start_all();
    let pull = production.whole_pull().await.pull_id;
    production.stop_all().await;
    let closed = production.store.closed(pull).await.expect("an answer").expect("closed");
    let (exporter, now) = (production.exporter(folder.path()), production.setup.clock.now());
    assert_eq!(exporter.lake().export(&closed, now).await.expect("exported"), Some(Exported::Now));
    let id = fs::read_to_string(marker(folder.path())).expect("a marker");
    assert_eq!(id.len(), 36, "{id}");

    // Another database with the same LAKE_URL: refused at the start, and while it runs.
    let staging = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let refused = staging.exporter(folder.path()).lake().open(now).await.expect_err("not its own");
    assert!(refused.message.contains("another catalogue"), "{refused}");
    let (code, said) = start(&staging, folder.path());
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("LAKE_URL") && said.contains("belongs to another catalogue"), "{said}");
    assert!(staging.exporter(folder.path()).lake().tidy(TimeDelta::hours(1), now).await.is_err());

    // A marker of an older build names no catalogue: taken once, by the one that has files, and by none that does not know them.
    fs::write(marker(folder.path()), "").expect("a marker of an older build");
    let refused = staging.exporter(folder.path()).lake().open(now).await.expect_err("not its own");
    assert!(refused.message.contains("another catalogue"), "{refused}");
    production.exporter(folder.path()).lake().open(now).await.expect("its own");
    assert_eq!(fs::read_to_string(marker(folder.path())).expect("a marker"), id);
    let (code, said) = start(&production, folder.path());
    assert_eq!(code, Some(0), "{said}");

    // The same catalogue with another LAKE_URL: nothing of it would be found there.
    let (code, said) = start(&production, elsewhere.path());
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("LAKE_URL") && said.contains("set LAKE_URL back"), "{said}");
    assert!(!marker(elsewhere.path()).exists(), "nothing is written to the wrong place");
    staging.end(&[]).await;
    production.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_builds_empty_lake_is_adopted() {
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    fs::write(marker(folder.path()), "").expect("a marker of an older build");
    let storage = Storage::folder(folder.path()).expect("a folder");
    let exporter = Exporter::of(rig.store.clone(), storage, rig.setup.clock.clone(), TimeDelta::days(1));
    exporter.lake().open(rig.setup.clock.now()).await.expect("its own");
    assert_eq!(fs::read_to_string(marker(folder.path())).expect("a marker").len(), 36);
    rig.end(&[]).await;
}

/// A rig whose database is a copy of another's, made as people make one.
async fn copy_of(original: &Rig) -> Rig {
    let copy = Rig::new(World::generate(WorldConfig::plain(1))).await;
    copy.db.batch_execute("drop schema public, lake cascade; create schema public").await.expect("emptied");
    let (from, to) = (original.database.plain_url(), copy.database.plain_url());
    let copied = tokio::task::spawn_blocking(move || {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let dump = Command::new("pg_dump")
            .args(["--format", "custom", "--file"])
            .arg(file.path())
            .arg(from)
            .status();
        assert!(dump.expect("pg_dump").success());
        Command::new("pg_restore")
            .args(["--exit-on-error", "--dbname"])
            .arg(to)
            .arg(file.path())
            .output()
            .expect("pg_restore")
    })
    .await
    .expect("a thread");
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    copy
}

/// Every file in a folder, and what is in it.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).expect("a file")));
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_database_is_refused_its_originals_lake_until_it_adopts_it_or_begins_its_own() {
    let (folder, elsewhere) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut original = Rig::new(World::generate(WorldConfig::plain(20))).await;
    original.start_all();
    let pull = original.whole_pull().await.pull_id;
    original.stop_all().await;
    let closed = original.store.closed(pull).await.expect("an answer").expect("closed");
    let (exporter, now) = (original.exporter(folder.path()), original.setup.clock.now());
    assert_eq!(exporter.lake().export(&closed, now).await.expect("exported"), Some(Exported::Now));
    let before = contents(folder.path());

    // As an older build leaves it, that knows nothing of whose the catalogue is: its next start notes it.
    original.db.batch_execute("delete from lake.home").await.expect("forgotten");
    original.exporter(folder.path()).lake().open(now).await.expect("its own");

    // With production's LAKE_URL, and with one of its own: refused, with the two ways out.
    let copy = copy_of(&original).await;
    for place in [folder.path(), elsewhere.path()] {
        let (code, said) = start(&copy, place);
        assert_eq!(code, Some(78), "{said}");
        assert!(said.contains("operator lake adopt") && said.contains("operator lake reset"), "{said}");
        let refused = copy.exporter(place).lake().open(now).await.expect_err("not its own");
        assert_eq!(refused.code, "lake.copied", "{refused}");
    }
    assert!(copy.exporter(folder.path()).lake().tidy(TimeDelta::hours(1), now).await.is_err());
    assert_eq!(operator_json(&copy, "lake status").await["copied"], true);
    let (code, _, said) = operator(&copy, "lake adopt --yes").await;
    assert!(code == 1 && said.contains("owner"), "{said}");
    assert_eq!(contents(folder.path()), before);

    // For a lake of its own it has to be told so, and then the original's place is refused as any other's.
    let (code, said, _) = owner(&copy, "lake reset --yes").await;
    assert!(code == 0 && said.contains("There is no lake"), "{said}");
    assert!(copy.exporter(folder.path()).lake().open(now).await.is_err());
    let own = copy.exporter(elsewhere.path());
    own.lake().open(now).await.expect("its own");
    assert_eq!(own.lake().export(&closed, now).await.expect("exported"), Some(Exported::Now));
    let status = operator_json(&copy, "lake status").await;
    assert_eq!((&status["copied"], &status["pulls"]), (&false.into(), &1.into()), "{status}");
    assert_eq!(contents(folder.path()), before);

    // A copy that takes over finds its files, and the original is refused from then on.
    let heir = copy_of(&original).await;
    for _ in 0..2 {
        let (code, _, said) = owner(&heir, "lake adopt --yes").await;
        assert_eq!(code, 0, "{said}");
    }
    assert_eq!(start(&heir, folder.path()).0, Some(0));
    exporter.lake().open(now).await.expect("the original's until the other is started");
    let adopted = heir.exporter(folder.path());
    adopted.lake().open(now).await.expect("its own");
    assert_eq!(adopted.lake().export(&closed, now).await.expect("an answer"), Some(Exported::Before));
    assert_eq!(contents(folder.path()).len(), before.len(), "the same files");
    let refused = exporter.lake().open(now).await.expect_err("adopted by another");
    assert_eq!(refused.code, "lake.of_another", "{refused}");
    assert_eq!(start(&original, folder.path()).0, Some(78));
    for rig in [copy, heir, original] {
        rig.end(&[]).await;
    }
}
