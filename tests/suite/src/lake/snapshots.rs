//! How long the lake can be read as it was is a class of retention like any other, and the exporter goes by it too.

use chrono::TimeDelta;
use fake_twitch::{World, WorldConfig};
use serde_json::Value;

use crate::{
    dead_letter_rig::{operator, operator_json, owner},
    rig::Rig,
};

/// What is shown of the class.
async fn shown(rig: &Rig) -> Value {
    let (code, out, err) = operator(rig, "retention show --json").await;
    assert_eq!(code, 0, "{err}");
    let classes = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    classes.into_iter().find(|class| class["class"] == "lake-snapshots").expect("the class")
}

async fn snapshots(rig: &Rig) -> Vec<i64> {
    let sql = "select array_agg(snapshot_id order by snapshot_id) from lake.ducklake_snapshot";
    rig.db.query_one(sql, &[]).await.expect("snapshots").get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_are_kept_for_as_long_as_it_is_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let (exporter, now, grace) = (rig.exporter(folder.path()), rig.setup.clock.now(), TimeDelta::days(1));
    let lake = exporter.lake();
    lake.open(now).await.expect("an empty lake");
    let made = "insert into lake.ducklake_snapshot select id, now() - days * interval '1 day', schema_version, next_catalog_id, 9
                from lake.ducklake_snapshot, (values (11, 9), (12, 8), (13, 2), (14, 0)) made (id, days) where snapshot_id = 0;
                update lake.ducklake_snapshot set snapshot_time = now() - interval '10 days' where snapshot_id < 11;
                insert into lake.ducklake_data_file values (1, 2, 11, 12, null, 'old.parquet', true, 'parquet', 1, 700, 1)";
    rig.db.batch_execute(made).await.expect("snapshots");
    let class = shown(&rig).await;
    assert_eq!(
        (&class["rows"], &class["bytes"], &class["due"]["rows"]),
        (&6.into(), &700.into(), &4.into()),
        "{class}"
    );

    operator_json(&rig, "retention set lake-snapshots never --yes").await;
    assert_eq!(lake.tidy(grace, now).await.expect("tidied").snapshots, 0);
    operator_json(&rig, "retention set lake-snapshots 210h --yes").await;
    assert_eq!(lake.tidy(grace, now).await.expect("tidied").snapshots, 3);
    let before = snapshots(&rig).await;
    operator_json(&rig, "retention set lake-snapshots 7d --yes").await;
    let (code, out, err) = owner(&rig, "retention apply --yes").await;
    assert!(code == 0 && out.contains("1 row of lake-snapshots"), "{out}{err}");
    assert_eq!(snapshots(&rig).await, before[1..], "the newest always stays");
    let left: i64 = rig
        .db
        .query_one("select count(*) from lake.ducklake_files_scheduled_for_deletion", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(left, 1, "a file that no snapshot has leaves storage after the grace time");
    rig.end(&[]).await;
}
