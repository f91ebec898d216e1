//! What a person asks for: `operator lake …`.

use exporter::Mismatch;
use fake_twitch::{World, WorldConfig};
use serde_json::{Value, json};

use super::{
    compaction::over_a_midnight,
    export::exported,
    facts::{files, sha256},
};
use crate::{
    dead_letter_rig::{operator, operator_json},
    rig::Rig,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verify_names_what_is_deleted_truncated_damaged_duplicated_and_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    rig.start_all();
    let (code, out, _) = operator(&rig, "lake status").await;
    assert!(code == 0 && out.contains("no exporter has run yet"), "{out}");
    rig.start_exporter(folder.path()).await;
    let pull = rig.whole_pull().await.pull_id;
    exported(&rig, pull).await;
    let status = operator_json(&rig, "lake status").await;
    assert_eq!((&status["pulls"], &status["missing"]), (&1.into(), &0.into()), "{status}");
    let (code, out, err) = operator(&rig, "lake verify").await;
    assert!(code == 0 && out.contains("4 files: catalogue and storage agree"), "{out}{err}");
    assert_eq!(operator_json(&rig, "lake compact").await["compacted"], json!([]));
    assert_eq!(operator_json(&rig, "lake expire").await["removed"], 0);

    let path = |table: &str| {
        let found = files(folder.path()).into_iter().find(|file| file.starts_with(&format!("hot/{table}/")));
        found.expect("a file")
    };
    let at = |file: &str| folder.path().join(file);
    let (deleted, truncated, damaged, duplicated) =
        (path("pull"), path("game"), path("stream_peek"), path("channel"));
    let stored = std::fs::read(at(&damaged)).expect("read");
    std::fs::write(at("hot/game/stray.parquet"), &stored).expect("written");
    std::fs::remove_file(at(&deleted)).expect("deleted");
    let half = std::fs::read(at(&truncated)).expect("read");
    std::fs::write(at(&truncated), &half[..half.len() / 2]).expect("truncated");
    let mut other = stored.clone();
    other[100] ^= 1;
    std::fs::write(at(&damaged), &other).expect("damaged");
    let twice = "insert into lake.ducklake_data_file select data_file_id + 1000, table_id, begin_snapshot, null, null, path, true,
        'parquet', record_count, file_size_bytes, footer_size from lake.ducklake_data_file where path = $1";
    rig.db.execute(twice, &[&duplicated]).await.expect("twice");
    let (code, out, err) = operator(&rig, "lake verify --json").await;
    assert_eq!(code, 1, "{err}");
    let found: Value = serde_json::from_str(&out).expect("JSON");
    let size = |bytes: usize| bytes.to_string();
    let (was, is) = (sha256(&rig, &stored).await, sha256(&rig, &other).await);
    for (trouble, expected) in [
        ("missing", json!([deleted])),
        (
            "truncated",
            json!([{ "path": truncated, "expected": size(half.len()), "found": size(half.len() / 2) }]),
        ),
        ("damaged", json!([{ "path": damaged, "expected": was, "found": is }])),
        ("duplicated", json!([duplicated])),
        ("unknown", json!(["hot/game/stray.parquet"])),
    ] {
        assert_eq!(found[trouble], expected, "{trouble}: {found}");
    }
    let (_, out, _) = operator(&rig, "lake verify --without-contents --json").await;
    let found: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&found["damaged"], &found["missing"]), (&json!([]), &json!([deleted])), "{found}");

    // A manifest that a slower writer has put over a newer one.
    let manifest = at("hot/game")
        .join(std::path::Path::new(&truncated).parent().and_then(|day| day.file_name()).expect("a day"));
    let manifest = manifest.join("_manifest.json");
    let newest = std::fs::read(&manifest).expect("a manifest");
    std::fs::write(&manifest, r#"{"entries": []}"#).expect("an older content");
    let (_, out, _) = operator(&rig, "lake verify --json").await;
    let found: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(found["stale_manifests"].as_array().map(Vec::len), Some(1), "{found}");
    let unwritten = "select count(*) from lake.manifest where not written";
    let unwritten: i64 = rig.db.query_one(unwritten, &[]).await.expect("a count").get("count");
    assert_eq!(unwritten, 1, "it is written again");

    // Exported once more, under new names.
    rig.db
        .execute("delete from lake.ducklake_data_file where data_file_id >= 1000", &[])
        .await
        .expect("once");
    std::fs::remove_file(at("hot/game/stray.parquet")).expect("removed");
    assert_eq!(operator_json(&rig, &format!("lake export {pull}")).await["announced"], 1);
    exported(&rig, pull).await;
    let (code, out, err) = operator(&rig, "lake verify").await;
    assert_eq!(code, 0, "{out}{err}");
    assert_ne!(std::fs::read(&manifest).expect("a manifest"), newest, "it has the new names");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exporter_that_comes_late_exports_what_was_completed_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(60))).await;
    rig.start_all();
    let (first, second) = (rig.whole_pull().await.pull_id, rig.whole_pull().await.pull_id);
    rig.start(rig.exporter(folder.path()));
    assert_eq!(operator_json(&rig, "lake export").await["announced"], 2);
    exported(&rig, first).await;
    exported(&rig, second).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_other_bit_in_a_file_of_a_pull_or_of_a_closed_day_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let (rig, exporter, _) = over_a_midnight(folder.path()).await;
    let (lake, now) = (exporter.lake(), rig.setup.clock.now());
    lake.compact_closed_days(now).await.expect("compacted");
    let found = files(folder.path());
    let streams = found.iter().filter(|file| file.contains("stream_peek/"));
    let day = streams.clone().find(|file| file.ends_with("/day-g1.parquet")).expect("a closed day");
    let of_a_pull = streams.rev().find(|file| file.starts_with("hot/")).expect("a day that goes on");
    let mut expected = Vec::new();
    for file in [of_a_pull, day] {
        let path = folder.path().join(file);
        let mut bytes = std::fs::read(&path).expect("a file");
        let before = sha256(&rig, &bytes).await;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).expect("written");
        let found = sha256(&rig, &bytes).await;
        expected.push(Mismatch { path: file.clone(), expected: before, found });
    }
    assert_eq!(lake.verify(now).await.expect("verified").damaged, expected);

    // A file of a build that noted no SHA-256 has the one of the day on which it was verified first.
    rig.db.execute("delete from lake.checksum", &[]).await.expect("as if of an older build");
    let findings = lake.verify(now).await.expect("verified");
    assert!(findings.is_well() && findings.noted == findings.files, "{findings:?}");
    let path = folder.path().join(day);
    let size = std::fs::read(&path).expect("a file").len();
    std::fs::write(&path, vec![0; size]).expect("written");
    let findings = lake.verify(now).await.expect("verified");
    let damaged: Vec<&String> = findings.damaged.iter().map(|file| &file.path).collect();
    assert_eq!((damaged, findings.noted), (vec![day], 0));
    rig.end(&[]).await;
}
