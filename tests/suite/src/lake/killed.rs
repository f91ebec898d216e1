//! An exporter that is killed again and again while pulls complete: each pull is in the lake once.

use std::{collections::HashMap, time::Duration};

use fake_twitch::{World, WorldConfig};
use tokio::time::{Instant, sleep};

use super::export::exported;
use crate::{
    dead_letter_rig::operator,
    process::{Options, Process},
    rig::Rig,
};

const STREAMS: i64 = 200;
const PULLS: usize = 6;

/// What a reader sees: the streams of each pull that the catalogue has, and how many pulls those are.
const SEEN: &str =
    "select count(*) as files, coalesce(sum(record_count), 0)::bigint as rows, count(distinct path) as paths
    from lake.ducklake_data_file where table_id = 2 and end_snapshot is null";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exporter_that_is_killed_at_random_exports_every_pull_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(200))).await;
    rig.start_all();
    let told = || Options {
        variables: vec![("LAKE_URL", folder.path().display().to_string())],
        ..Options::default()
    };
    let mut pulls = Vec::new();
    let mut kills = 0;
    // Not the same instants on every machine, and none that is chosen.
    let mut lot = std::process::id();
    let mut random = move || {
        lot = lot.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u64::from(lot >> 16)
    };
    let mut exporter = Process::start(&rig, "exporter", &told());
    exporter.ready().await;
    while pulls.len() < PULLS {
        pulls.push(rig.whole_pull().await.pull_id);
        // In the middle of its work, as often as not: an export takes about as long.
        for _ in 0..9 {
            exporter.kill();
            kills += 1;
            exporter = Process::start(&rig, "exporter", &told());
            exporter.ready().await;
            let until = Instant::now() + Duration::from_millis(random() % 150);
            while Instant::now() < until {
                let seen = rig.db.query_one(SEEN, &[]).await.expect("an answer");
                let (files, rows, paths): (i64, i64, i64) =
                    (seen.get("files"), seen.get("rows"), seen.get("paths"));
                assert_eq!(
                    (rows, paths),
                    (files * STREAMS, files),
                    "a pull is seen whole and once, or not at all"
                );
                sleep(Duration::from_millis(5)).await;
            }
        }
        // Before the next: each kill spends a delivery, and a message that has killed twenty would be a dead letter.
        exported(&rig, pulls[pulls.len() - 1]).await;
    }
    assert!(kills >= 50, "{kills} kills");
    let (code, out, err) = operator(&rig, "lake verify").await;
    assert!(code == 0 && out.contains("catalogue and storage agree"), "{kills} kills: {out}{err}");
    let counted =
        "select pull_id, count(*) as files from lake.export e join lake.ducklake_data_file f using (path)
                   where end_snapshot is null group by 1";
    let counted = rig.db.query(counted, &[]).await.expect("a count");
    let counted: HashMap<i64, i64> =
        counted.iter().map(|row| (row.get("pull_id"), row.get("files"))).collect();
    assert_eq!(counted, pulls.iter().map(|pull| (pull.0, 4)).collect::<HashMap<_, _>>());
    exporter.terminate().await;
    rig.end_clean().await;
}
