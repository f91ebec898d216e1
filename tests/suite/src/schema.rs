//! Schemas and builds of different ages: they work together where that was promised, and say no in plain words elsewhere.

use fake_twitch::{World, WorldConfig};
use reqwest::StatusCode;
use shared::store::{Migrated, migrate};

use crate::{
    dead_letter_rig::operator,
    eventually::eventually,
    process::{Options, Process, probe},
    rig::Rig,
    truth::assert_matches_world,
};

const WORKERS: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];

/// As if the next build's migration had run: it adds what this build knows nothing of. Its version.
async fn migrate_further(rig: &Rig) -> i64 {
    rig.db
        .batch_execute(
            "alter table pull add column mood text not null default 'fine';
             alter table pull_chunk add column mood text;
             create table mood (name text primary key);
             insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             select max(version) + 1, 'mood', true, '', 0 from _sqlx_migrations",
        )
        .await
        .expect("a newer schema");
    rig.db.query_one("select max(version) from _sqlx_migrations", &[]).await.expect("a version").get(0)
}

/// The next migration promises to serve builds that know the schema before it.
async fn promise(rig: &Rig, version: i64, oldest_build: i64) {
    let sql = "insert into schema_promise values ($1, $2)
               on conflict (version) do update set oldest_build = excluded.oldest_build";
    rig.db.execute(sql, &[&version, &oldest_build]).await.expect("a promise");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_schema_is_refused_unless_it_promises_to_serve_this_build() {
    let rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
    let newer = migrate_further(&rig).await;
    // A promise to builds of its own age only is none to this one.
    promise(&rig, newer, newer).await;
    let refusal = format!(
        "the database has schema {newer}, which does not promise to serve builds of schema {}",
        newer - 1
    );
    let processes = WORKERS.map(|name| Process::start(&rig, name, &Options::default()));
    for process in &processes {
        eventually("it should say why it does not work", || async {
            let log = process.log();
            if log.iter().any(|line| line.contains(&refusal)) { Ok(()) } else { Err(log) }
        })
        .await;
    }
    let (code, _, err) = operator(&rig, "pull").await;
    assert!(code != 0 && err.contains(&refusal), "{code}: {err}");

    let error = migrate(&rig.database.url()).await.expect_err("an older build changes nothing");
    assert!(error.to_string().starts_with(&refusal), "{error}");

    // Once it is promised they work, without being started again, each row as it must be.
    promise(&rig, newer, newer - 1).await;
    for process in &processes {
        process.ready().await;
    }
    let unchanged = Migrated { version: newer, applied: Vec::new() };
    assert_eq!(migrate(&rig.database.url()).await.expect("nothing to do"), unchanged);
    let report = rig.whole_pull().await;
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    for process in processes {
        process.terminate().await;
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_under_running_workers_stops_those_it_does_not_serve_and_no_others() {
    let rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
    let processes = WORKERS.map(|name| Process::start(&rig, name, &Options::default()));
    let mut addresses = Vec::new();
    for process in &processes {
        addresses.push(process.ready().await);
    }
    rig.whole_pull().await;
    let newer = migrate_further(&rig).await;
    for address in &addresses {
        eventually("it should not be ready", || async {
            let (status, said) = probe(*address, "readyz").await;
            let told = said.contains("does not promise to serve");
            if status == StatusCode::SERVICE_UNAVAILABLE && told { Ok(()) } else { Err(said) }
        })
        .await;
        assert_eq!(probe(*address, "livez").await.0, StatusCode::OK, "a restart would not help");
    }
    // Work waits, for whoever may do it.
    let pull = rig.pull().await;
    eventually("the extractor should be paused", || async {
        let said = probe(addresses[0], "readyz").await.1;
        if said.contains("paused: the database has schema") { Ok(()) } else { Err(said) }
    })
    .await;
    let waiting = rig.store.pull_report(pull).await.expect("a report");
    assert_eq!((waiting.pages, waiting.helix_calls), (0, 0), "{waiting:#?}");
    promise(&rig, newer, newer - 1).await;
    rig.succeeded(pull).await;
    for address in &addresses {
        eventually("it should be ready again", || async {
            let (status, said) = probe(*address, "readyz").await;
            if status == StatusCode::OK { Ok(()) } else { Err(said) }
        })
        .await;
    }
    rig.whole_pull().await;
    for process in processes {
        process.terminate().await;
    }
    rig.end(&[]).await;
}
