//! The lake in a bucket: S3 as `moto` plays it.

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
};

use clap::{Args, Parser};
use exporter::{Exporter, Storage};
use fake_twitch::{World, WorldConfig};
use shared::{config, failure::Class, scrub::Scrubber, store::Exported};
use tempfile::TempDir;

use super::duckdb::{skipped, with_packages};
use crate::{eventually::eventually, rig::Rig};

/// A server, killed when dropped.
struct Moto {
    child: Child,
    endpoint: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    /// Starts one with a bucket `lake`. `None`, said loudly in the name of `test`, where it cannot be had.
    async fn start(test: &str) -> Option<Self> {
        let make = || with_packages("moto-check", &["moto[server]"]);
        let Some(python) = tokio::task::spawn_blocking(make).await.expect("no panic") else {
            skipped(test, "moto", "moto[server]");
            return None;
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("an address")
            .port();
        let child = Command::new(python.with_file_name("moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto");
        let moto = Self { child, endpoint: format!("http://127.0.0.1:{port}") };
        config::use_our_tls();
        let client = reqwest::Client::builder().build().expect("a client");
        eventually("moto should take a bucket", || async {
            client.put(format!("{}/lake", moto.endpoint)).send().await.map(|_| ())
        })
        .await;
        Some(moto)
    }

    /// The settings of a lake in this bucket.
    fn settings(&self, bucket: &str, keys: &TempDir) -> config::Lake {
        #[derive(Parser)]
        struct Cli<S: Args> {
            #[command(flatten)]
            settings: S,
        }
        let secret = |name: &str| {
            let path = keys.path().join(name);
            std::fs::write(&path, name).expect("a file");
            path.display().to_string()
        };
        let flags = [
            "test".to_owned(),
            format!("--lake-url=s3://{bucket}/twitch"),
            format!("--lake-endpoint={}", self.endpoint),
            format!("--lake-access-key-id-file={}", secret("an-id")),
            format!("--lake-secret-access-key-file={}", secret("a-key")),
        ];
        Cli::<config::Lake>::try_parse_from(flags).expect("settings").settings
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_holds_the_lake_as_a_folder_does() {
    let Some(moto) = Moto::start("a_bucket_holds_the_lake_as_a_folder_does").await else { return };
    let keys = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    rig.start_all();
    let pull = rig.whole_pull().await.pull_id;
    rig.stop_all().await;
    let closed = rig.store.closed(pull).await.expect("an answer").expect("closed");

    let nowhere = Storage::open(&moto.settings("no-such-bucket", &keys)).expect("settings");
    let error = nowhere.check().await.expect_err("there is no such bucket").to_string();
    assert!(
        error.contains("LAKE_URL") && error.contains("no bucket at s3://no-such-bucket/twitch/"),
        "{error}"
    );

    let storage = Storage::open(&moto.settings("lake", &keys)).expect("settings");
    storage.check().await.expect("the bucket is there");
    let exporter =
        Exporter::of(rig.store.clone(), storage, rig.setup.clock.clone(), chrono::TimeDelta::days(1));
    let (lake, now) = (exporter.lake(), rig.setup.clock.now());
    let (a, b) = tokio::join!(lake.export(&closed, now), lake.export(&closed, now));
    assert_ne!(a.expect("exported"), b.expect("exported"), "one did it");
    let findings = lake.verify(now).await.expect("verified");
    assert!(findings.is_well() && findings.files == 4, "{findings:?}");
    assert_eq!(lake.export(&closed, now).await.expect("exported"), Some(Exported::Before));

    // What Redshift's COPY is told: each file is there, and is as long as the manifest says.
    let stored: BTreeMap<String, u64> = lake
        .storage
        .list()
        .await
        .expect("a list")
        .into_iter()
        .map(|file| (file.location.to_string(), file.size))
        .collect();
    for manifest in lake.store.lake_manifests().await.expect("manifests") {
        let content: serde_json::Value = serde_json::from_str(&manifest.content).expect("JSON");
        let entries = content["entries"].as_array().expect("entries");
        assert_eq!(entries.len(), 1);
        for entry in entries {
            let path = entry["url"]
                .as_str()
                .and_then(|url| url.strip_prefix(lake.storage.root()))
                .expect("below the root");
            assert_eq!(entry["meta"]["content_length"], stored[path], "{path}");
            assert_eq!(entry["mandatory"], true);
        }
    }

    // A channel leaves a bucket as it leaves a folder: its files are written anew, and those of before are removed.
    let sql = "select channel_id from pull_data order by viewer_count desc limit 1";
    let id: String = rig.db.query_one(sql, &[]).await.expect("a channel").get(0);
    let scrubber = Scrubber::new(&id, [], true).expect("random numbers");
    let found = lake.search(scrubber.clone()).await.expect("searched");
    assert_eq!((found.rows["stream_peek"], found.rows["channel"]), (1, 1), "{found:?}");
    let left = lake.erase(scrubber, now).await.expect("erased");
    assert!(left.rows.is_empty(), "{left:?}");
    let findings = lake.verify(now).await.expect("verified");
    assert!(findings.is_well() && findings.files == 4, "{findings:?}");

    // Away: the stage would pause, and no message is charged.
    drop(moto);
    let failure = shared::failure::Failure::from(lake.storage.owner().await.expect_err("away"));
    assert_eq!(failure.class, Class::Outage, "{failure}");
    rig.end(&[]).await;
}
