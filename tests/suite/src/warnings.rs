//! Warnings and errors that persist: one row per cause and pull, through a storm and an outage of the database.

use std::net::TcpListener;

use fake_twitch::{World, WorldConfig};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use shared::{
    schema::{ChunkRef, ChunkStored},
    topology::GAME_ENRICHER,
};

use crate::{
    dead_letter_rig::{DEAD, message, operator},
    eventually::eventually,
    process::{Options, Process},
    proxy::Proxy,
    rig::Rig,
};

/// What `operator events` tells, with these flags.
async fn events(rig: &Rig, flags: &str) -> Vec<Value> {
    let (code, out, err) = operator(rig, &format!("events --json {flags}")).await;
    assert_eq!(code, 0, "{err}");
    out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Of those the ones whose message holds `words`.
fn about<'a>(events: &'a [Value], words: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["message"].as_str().is_some_and(|text| text.contains(words))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_ends_says_what_it_could_not_write_down() {
    let rig = Rig::new(World::generate(WorldConfig::plain(100))).await;
    let process = Process::start(&rig, "game-enricher", &Options::default());
    process.ready().await;
    let mut locking = rig.database.client().await;
    let held = locking.transaction().await.expect("a transaction");
    held.batch_execute("lock table event").await.expect("a lock");
    let nowhere = GAME_ENRICHER.request(&ChunkStored(message(1).0));
    rig.announcer.announce(vec![nowhere]).await.expect("announced");
    eventually("the error should wait to be written down", || async {
        let sql = "select count(*) from pg_locks where relation = 'event'::regclass and not granted";
        let waiting: i64 = rig.db.query_one(sql, &[]).await.expect("a count").get(0);
        if waiting > 0 { Ok(()) } else { Err(process.log()) }
    })
    .await;
    let log = process.whole_log().await;
    let lost = log.iter().filter(|line| line.contains("events.lost")).count();
    assert_eq!(lost, 1, "{log:#?}");
    held.rollback().await.expect("a rollback");
    drop(locking);
    rig.end(&[(DEAD, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_and_a_command_that_failed_leave_events_with_their_own_rights() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let variables = vec![("CONSOLE_LISTEN", address.clone())];
    let console = Process::start(&rig, "console", &Options { variables, ..Options::default() });
    let told = eventually("the console should tell why it stops", || async {
        let told = events(&rig, "--level error").await;
        let about = about(&told, &address).into_iter().cloned().collect::<Vec<_>>();
        if about.is_empty() { Err((told, console.log())) } else { Ok(about) }
    })
    .await;
    let told: Vec<_> = told.iter().map(|event| (&event["stage"], &event["code"])).collect();
    assert_eq!(told, [(&"console".into(), &"console.listen".into())]);

    // Whoever may not erase is told so at the terminal, once.
    let (code, _, err) = operator(&rig, "erase --channel 1 --yes").await;
    assert!(code == 1 && err.lines().count() == 1, "{err}");
    // A question in vain, and a wrong command line, are nobody's trouble.
    for words in ["show 99", "rerun 99 --yes --from nowhere"] {
        assert_ne!(operator(&rig, words).await.0, 0, "{words}");
    }
    let told = events(&rig, "").await;
    let told: Vec<_> = told.iter().filter(|event| event["stage"] == "operator").collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0]["message"].as_str().is_some_and(|text| text.contains("does not own the tables")),
        "{told:#?}"
    );
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_one_cause_is_one_row_and_an_outage_loses_none() {
    let rig = Rig::new(World::generate(WorldConfig::plain(100))).await;
    let url = SecretString::from(rig.database.url_of("game-enricher"));
    let line = Proxy::to(&url).await;
    let variables = vec![
        ("DATABASE_URL", line.url(&url).expose_secret().to_owned()),
        ("PAUSE_AFTER_DEAD_LETTERS", "0".to_owned()),
    ];
    let process = Process::start(&rig, "game-enricher", &Options { variables, ..Options::default() });
    process.ready().await;
    let nowhere = |chunk| GAME_ENRICHER.request(&ChunkStored(ChunkRef { chunk, ..message(1).0 }));
    rig.announcer.announce((1..=40).map(nowhere).collect()).await.expect("announced");
    let storm = eventually("the storm should be told", || async {
        let found = events(&rig, "--level error").await;
        let dead = about(&found, "is not there");
        let counted = dead.first().and_then(|event| event["count"].as_i64());
        if counted == Some(40) && dead.len() == 1 { Ok(dead[0].clone()) } else { Err(found) }
    })
    .await;
    assert_eq!((&storm["stage"], &storm["pull_id"]), (&"game-enricher".into(), &1.into()));
    assert!(storm["code"].is_string() && storm["build"].is_string(), "{storm:#}");

    // The database is gone: that it is gone is told when it is back.
    line.close();
    rig.announcer.announce(vec![nowhere(41)]).await.expect("announced");
    eventually("it should notice", || async {
        let log = process.log();
        if log.iter().any(|line| line.contains("store.unreachable")) { Ok(()) } else { Err(log) }
    })
    .await;
    line.open();
    eventually("the outage should be told", || async {
        let found = events(&rig, "").await;
        let told =
            found.iter().any(|event| event["code"].as_str().is_some_and(|code| code.starts_with("store.")));
        if told { Ok(()) } else { Err(found) }
    })
    .await;
    assert_eq!(events(&rig, "--pull 2").await.len(), 0);
    rig.waits(DEAD, 41).await;
    process.terminate().await;
    rig.end(&[(DEAD, 41)]).await;
}
