//! Storage that refuses, or is full: the exporter pauses and says so, pulls go on, and it catches up in their order.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use axum::http::StatusCode;
use fake_twitch::{World, WorldConfig};
use reqwest::StatusCode as Status;
use shared::schema::PullId;

use super::{duckdb::skipped, export::exported, s3::S3};
use crate::{
    dead_letter_rig::operator,
    eventually::eventually,
    process::{Options, Process, probe},
    rig::Rig,
};

/// Waits until the exporter says in its probe, and `operator status` and `operator doctor` say, that it is paused, and why.
async fn paused(rig: &Rig, address: SocketAddr, why: &str) {
    eventually("the probe should name the storage", || async {
        let (status, said) = probe(address, "readyz").await;
        if status == Status::SERVICE_UNAVAILABLE && said.contains(why) { Ok(()) } else { Err((status, said)) }
    })
    .await;
    told(rig, "status", why).await;
    told(rig, "doctor", why).await;
}

/// Waits until a command of the operator's says what is wrong, and exits with its code for that.
async fn told(rig: &Rig, command: &str, why: &str) {
    eventually(&format!("`{command}` should say {why:?}"), || async {
        let (code, out, _) = operator(rig, command).await;
        if code != 0 && out.contains(why) { Ok(()) } else { Err((code, out)) }
    })
    .await;
}

/// Shows that the lake has these pulls, that they entered it in this order, and that none failed.
async fn assert_in_order(rig: &Rig, pulls: &[PullId]) {
    for pull in pulls {
        exported(rig, *pull).await;
    }
    let order = "select array_agg(pull_id order by data_file_id) as pulls from lake.export e
                 join lake.ducklake_data_file f using (path) where table_name = 'pull'";
    let order: Vec<i64> = rig.db.query_one(order, &[]).await.expect("an order").get("pulls");
    assert_eq!(order, pulls.iter().map(|pull| pull.0).collect::<Vec<_>>());
    let dead: i64 =
        rig.db.query_one("select count(*) as n from dead_letter", &[]).await.expect("a count").get("n");
    assert_eq!(dead, 0, "no message is charged for the storage");
}

async fn rig() -> Rig {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(60))).await;
    rig.start_all();
    rig
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_refuses_the_credentials_or_is_full_pauses_the_exporter_alone() {
    let mut rig = rig().await;
    let s3 = S3::start().await;
    let variables = vec![
        ("LAKE_URL", "s3://lake/twitch".to_owned()),
        ("LAKE_ENDPOINT", s3.endpoint.clone()),
        ("LAKE_ACCESS_KEY_ID", "an-id".to_owned()),
        ("LAKE_SECRET_ACCESS_KEY", "a-key".to_owned()),
    ];
    let exporter = Process::start(&rig, "exporter", &Options { variables, ..Options::default() });
    let address = exporter.ready().await;
    let mut pulls = vec![rig.whole_pull().await.pull_id];
    exported(&rig, pulls[0]).await;
    let troubles = [
        (StatusCode::FORBIDDEN, "AccessDenied", "refuses the exporter"),
        (StatusCode::INSUFFICIENT_STORAGE, "XMinioStorageFull", "storage is full"),
    ];
    for (status, code, why) in troubles {
        s3.suffer(Some((status, code)));
        pulls.push(rig.whole_pull().await.pull_id);
        pulls.push(rig.whole_pull().await.pull_id);
        paused(&rig, address, why).await;
        s3.suffer(None);
        assert_in_order(&rig, &pulls).await;
    }
    let objects = s3.objects().into_keys().filter(|key| key.ends_with(".parquet")).count();
    assert_eq!(objects, 5 * 4, "each pull once");
    let (code, out, err) = operator(&rig, "pause exporter").await;
    assert_eq!(code, 0, "{out}{err}");
    told(&rig, "doctor", "the exporter is paused by").await;
    operator(&rig, "resume exporter").await;
    exporter.terminate().await;
    told(
        &rig,
        "doctor",
        "no exporter is running: queue \"exporter\" has no consumer; completed pulls wait for one",
    )
    .await;
    rig.stop_all().await;
    rig.end(&[]).await;
}

/// A small file system of its own for a process, at the folder of the lake.
const ON_A_SMALL_DISK: &[&str] =
    &["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m lake \"$LAKE_URL\" && exec \"$0\""];

/// Whether this machine lets a process mount one; said loudly where not.
fn may_mount(test: &str, folder: &Path) -> bool {
    let [program, rest @ ..] = ON_A_SMALL_DISK else { return false };
    let tried = Command::new(program).args(rest).arg("true").env("LAKE_URL", folder).status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        skipped(test, "a small file system", "none: unshare -rm must be allowed to mount");
    }
    may
}

/// Fills a disk to the last byte.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a file");
    for size in [64 * 1024, 1024, 1] {
        let full = std::iter::repeat_with(|| file.write_all(&vec![0; size])).find_map(Result::err);
        assert_eq!(full.map(|error| error.kind()), Some(ErrorKind::StorageFull));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_pauses_the_exporter_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    if !may_mount("a_full_disk_pauses_the_exporter_alone", folder.path()) {
        return;
    }
    let mut rig = rig().await;
    let variables = vec![("LAKE_URL", folder.path().display().to_string())];
    let told = Options { variables, through: ON_A_SMALL_DISK, ..Options::default() };
    let exporter = Process::start(&rig, "exporter", &told);
    let address = exporter.ready().await;
    let mut pulls = vec![rig.whole_pull().await.pull_id];
    exported(&rig, pulls[0]).await;
    // The disk as the process sees it.
    let filler = PathBuf::from(format!("/proc/{}/root{}/filler", exporter.id(), folder.path().display()));
    fill(&filler);
    pulls.push(rig.whole_pull().await.pull_id);
    pulls.push(rig.whole_pull().await.pull_id);
    paused(&rig, address, "storage is full").await;
    std::fs::remove_file(&filler).expect("room again");
    assert_in_order(&rig, &pulls).await;
    exporter.terminate().await;
    rig.stop_all().await;
    rig.end(&[]).await;
}
