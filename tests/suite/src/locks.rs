//! Locks: all take them in one order, and who waits for somebody else's waits without a charge.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fake_twitch::{Latency, Settings as TwitchSettings, World, WorldConfig};
use futures::future::{BoxFuture, join_all};
use shared::{
    failure::{Class, Failure},
    schema::{ChunkRef, PullId},
    store::{Kind, RerunFrom, Store},
};
use tokio_postgres::Client;

use crate::{
    builders::{dead_letter, filled, now, pages},
    eventually::eventually,
    rig::{Rig, Setup},
};

/// Waits until a statement of `program` that begins so waits for a lock, and was begun after `last`. When it was begun.
async fn waits(db: &Client, program: &str, begins: &str, last: DateTime<Utc>) -> DateTime<Utc> {
    let sql = "select query_start from pg_stat_activity
               where datname = current_database() and application_name = $1 and starts_with(query, $2)
                 and wait_event_type = 'Lock' and query_start > $3";
    eventually(&format!("{program} should wait for a lock"), || async {
        let row = db.query_opt(sql, &[&program, &begins, &last]).await.expect("statements");
        row.map(|row| row.get(0)).ok_or(())
    })
    .await
}

/// A flow with a middle; the one retry is an hour away, so a message that is charged with an attempt keeps its pull from its
/// end.
async fn rig() -> Rig {
    let setup = Setup::default();
    let twitch = TwitchSettings { latency: Latency::of(Duration::from_millis(30)), ..setup.twitch };
    let delays = "1h".parse().expect("delays");
    Rig::with(World::generate(WorldConfig::plain(600)), Setup { delays, twitch, ..setup }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_keeps_a_pulls_row_locked_only_delays_it() {
    let mut rig = rig().await;
    let pull = rig.pull().await;
    let mut other = rig.database.client().await;
    let holder = other.transaction().await.expect("a transaction");
    holder.execute("select from pull where id = $1 for update", &[&pull.0]).await.expect("a lock");
    // Only now, so that no machine is so slow that the extractor is done before.
    rig.start_all();

    // It waits, is ended by the time limit, and is tried again, all in the extractor's hand.
    let first = waits(&rig.db, "extractor", "/* pull::extraction", DateTime::UNIX_EPOCH).await;
    waits(&rig.db, "extractor", "/* pull::extraction", first).await;
    let depths = rig.announcer.depths().await.expect("depths");
    let charged: Vec<_> = depths
        .iter()
        .filter(|queue| {
            (queue.name.contains(".retry.") || queue.name.contains(".dead")) && queue.ready != Some(0)
        })
        .collect();
    assert!(charged.is_empty(), "{charged:?}");
    assert_eq!(rig.store.pull_report(pull).await.expect("a report").error, None);

    holder.commit().await.expect("a commit");
    rig.stored_world(pull).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_frozen_in_the_middle_of_a_copy_does_not_keep_its_locks() {
    let rig = Rig::new(World::generate(WorldConfig::plain(10))).await;
    let chunks = filled(&rig.store, &pages(rig.twitch.world(), 10)).await;
    let mut other = rig.database.client().await;
    let frozen = other.transaction().await.expect("a transaction");
    let lock = "select from pull_chunk where pull_id = $1 for update";
    frozen.execute(lock, &[&chunks[0].pull_id.0]).await.expect("a lock");
    let copy = "/* merge::copy */ copy pull_data (pull_id) from stdin (format binary)";
    let copying = frozen.copy_in::<_, &[u8]>(copy).await.expect("a copy that gets nothing");

    let limits = "-clock_timeout%3D100ms%20-cidle_in_transaction_session_timeout%3D1s";
    let url = format!("{}?options={limits}", rig.database.plain_url());
    let store = Store::new(&url.into(), 2, "test").expect("a store");
    let waited = store.merge(&chunks, now()).await.expect_err("the chunks are locked");
    assert_eq!(Failure::from(waited).class, Class::Contention);
    eventually("its session should be ended", || async {
        store.merge(&chunks, now()).await.map_err(Failure::from)
    })
    .await;
    drop(copying);
    assert!(frozen.commit().await.is_err(), "it is told when it wakes");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_refers_to_a_pull_by_a_foreign_key_does_not_delay_it() {
    let mut rig = rig().await;
    let pull = rig.pull().await;
    let mut other = rig.database.client().await;
    let referring = other.transaction().await.expect("a transaction");
    let refer = "insert into pull_rerun (pull_id, at, by, from_stage, build, was_status)
                 values ($1, now() - interval '1 day', 'test', 'finalizer', 'test', 'success')";
    referring.execute(refer, &[&pull.0]).await.expect("a reference");
    rig.start_all();
    rig.succeeded(pull).await;
    rig.stop_all().await;
    let rerun = rig.store.rerun(pull, RerunFrom::Games, "test", now()).await.expect("put back");
    let chunk = rerun.without_games[0];
    rig.store.revalidate(chunk, |_| None, false, now()).await.expect("readmitted");
    assert!(
        rig.store
            .fail_chunk(chunk, "test", &dead_letter("game-enricher", chunk), now())
            .await
            .expect("failed")
    );
    referring.rollback().await.expect("a rollback");
    rig.end(&[]).await;
}

/// A pull that has succeeded.
async fn success(store: &Store, world: &World) -> Vec<ChunkRef> {
    let chunks = filled(store, &pages(world, 10)).await;
    for chunk in &chunks {
        store.merge(&[*chunk], now()).await.expect("merged");
    }
    assert!(store.close(chunks[0].pull_id, 0.5, now()).await.expect("closed"));
    chunks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rerun_and_a_readmission_lock_the_pull_first_and_its_chunks_second() {
    let rig = Rig::new(World::generate(WorldConfig::plain(30))).await;
    let chunks = success(&rig.store, rig.twitch.world()).await;
    let mut other = rig.database.client().await;
    let holder = other.transaction().await.expect("a transaction");
    let lock = "select from pull_chunk where pull_id = $1 and chunk = 1 for update";
    holder.execute(lock, &[&chunks[0].pull_id.0]).await.expect("a lock");

    let (store, pull) = (rig.store.clone(), chunks[0].pull_id);
    let rerun = tokio::spawn(async move { store.rerun(pull, RerunFrom::Games, "test", now()).await });
    waits(&rig.db, "test", "/* rerun::", DateTime::UNIX_EPOCH).await;
    let (store, chunk) = (rig.store.clone(), chunks[1]);
    let revalidated = tokio::spawn(async move { store.revalidate(chunk, |_| None, false, now()).await });
    waits(&rig.db, "test", "/* rejected::readmit", DateTime::UNIX_EPOCH).await;
    holder.commit().await.expect("a commit");
    rerun.await.expect("a task").expect("put back");
    revalidated.await.expect("a task").expect("readmitted");
    rig.end(&[]).await;
}

/// Everything that locks rows of a pull, on a chunk of it.
fn everything(
    store: &Store,
    chunk: ChunkRef,
    all: &[ChunkRef],
) -> Vec<BoxFuture<'static, Result<(), Failure>>> {
    let pull: PullId = chunk.pull_id;
    let backwards: Vec<ChunkRef> = all.iter().rev().copied().collect();
    let forwards = all.to_vec();
    let [rerun, fail_chunk, revalidate, fill, refill, close, fail_pull] =
        std::array::from_fn(|_| store.clone());
    vec![
        Box::pin(async move {
            // While it is under way it is refused, and then it has locked the pull all the same.
            match rerun.rerun(pull, RerunFrom::Games, "test", now()).await.map_err(Failure::from) {
                Err(failure) if failure.code != "pull.not_to_rerun" => Err(failure),
                _ => Ok(()),
            }
        }),
        Box::pin(async move {
            Ok(fail_chunk
                .fail_chunk(chunk, "test", &dead_letter("finalizer", chunk), now())
                .await
                .map(drop)?)
        }),
        Box::pin(async move { Ok(revalidate.revalidate(chunk, |_| None, false, now()).await.map(drop)?) }),
        Box::pin(async move { Ok(fill.filled(Kind::Game, &forwards, 0, now()).await?) }),
        Box::pin(async move { Ok(refill.filled(Kind::Game, &backwards, 0, now()).await?) }),
        Box::pin(async move { Ok(close.close(pull, 0.5, now()).await.map(drop)?) }),
        Box::pin(async move { Ok(fail_pull.fail_pull(pull, "test", None, None, now()).await.map(drop)?) }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_locks_a_pull_and_its_chunks_at_once_never_waits_in_a_circle() {
    let rig = Rig::new(World::generate(WorldConfig::plain(60))).await;
    for round in 0..40 {
        let chunks = success(&rig.store, rig.twitch.world()).await;
        let steps = chunks.iter().flat_map(|chunk| everything(&rig.store, *chunk, &chunks));
        for step in join_all(steps.map(tokio::spawn)).await {
            if let Err(failure) = step.expect("a task") {
                assert_ne!(failure.class, Class::Contention, "round {round}: {failure}");
                panic!("round {round}: {failure}");
            }
        }
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_of_another_type_is_the_deployments_trouble_and_no_panic() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let pull = rig.store.request_pull("test", now()).await.expect("a pull");
    rig.db.batch_execute("alter table pull alter column rescues type bigint").await.expect("altered");
    let failure = Failure::from(rig.store.pull_report(pull).await.expect_err("it cannot be read"));
    assert_eq!((failure.class, failure.code), (Class::Outage, "store.column"), "{failure:?}");
    assert!(failure.to_string().contains("column rescues"), "{failure}");
    rig.end(&[]).await;
}
