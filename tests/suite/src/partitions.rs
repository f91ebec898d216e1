//! The partitions of the days: there before they are needed, made by many at once, and each statement touches its own only.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use fake_twitch::{World, WorldConfig};
use futures::future::join_all;
use shared::{
    failure::{Class, Failure},
    schema::{ChunkRef, PullId},
    store::Store,
    topology::{EXTRACTOR, REJECTED},
};
use tokio_postgres::Client;

use crate::{
    builders::{dead_letter, now},
    dead_letter_rig::{operator, operator_json},
    rig::Rig,
    wire::purge,
};

/// The days that have partitions of both tables.
async fn days(db: &Client) -> HashSet<String> {
    let sql = "select right(inhrelid::regclass::text, 8) from pg_inherits
               where inhparent in ('pull_chunk'::regclass, 'pull_data'::regclass) group by 1 having count(*) = 2";
    db.query(sql, &[]).await.expect("partitions").iter().map(|row| row.get(0)).collect()
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y%m%d").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_who_ask_for_a_pull_at_once_on_a_day_without_partitions_all_get_one() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    assert_eq!(days(&rig.db).await, HashSet::new());
    let asked = join_all((0..8).map(|_| operator(&rig, "pull"))).await;
    for (code, _, err) in &asked {
        assert_eq!(*code, 0, "{err}");
    }
    let pulls: HashSet<&str> = asked.iter().map(|(_, out, _)| out.trim()).collect();
    assert_eq!(pulls.len(), 8, "{pulls:?}");
    rig.end(&[(EXTRACTOR.info().queue(), 8)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_are_made_ahead_once_however_many_make_them() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let begun = now();
    for round in 0..10 {
        let now = begun + TimeDelta::days(4 * round);
        let makers = (0..8).map(|_| {
            let store = rig.store.clone();
            // Tasks of their own, so that they really run at once.
            tokio::spawn(async move { store.ensure_partitions(now, 3).await.map_err(Failure::from) })
        });
        for made in join_all(makers).await {
            made.expect("a maker").unwrap_or_else(|failure| panic!("round {round}: {failure}"));
        }
    }
    let expected: HashSet<String> = (0..40).map(|n| day(begun + TimeDelta::days(n))).collect();
    assert_eq!(days(&rig.db).await, expected);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_makes_partitions_waits_for_nobody_long_and_stops_nobody() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    rig.store.ensure_partitions(now(), 0).await.expect("today's");
    let ahead = now() + TimeDelta::days(2);
    let mut other = rig.database.client().await;
    let pull = rig.store.request_pull("test", now()).await.expect("a pull");

    // Whoever reads, or locks rows, is no hindrance.
    let locker = other.transaction().await.expect("a transaction");
    locker.execute("select from pull, pull_chunk, pull_data", &[]).await.expect("read");
    locker.execute("select from pull where id = $1 for update", &[&pull.0]).await.expect("a lock");
    rig.store.ensure_partitions(ahead, 0).await.expect("made beside it");
    locker.commit().await.expect("a commit");

    // Nor is whoever writes to `pull` and takes his time.
    let writer = other.transaction().await.expect("a transaction");
    writer.execute("update pull set rescues = 0 where id = $1", &[&pull.0]).await.expect("an update");
    let far = ahead + TimeDelta::days(1);
    rig.store.ensure_partitions(far, 0).await.expect("made beside it");
    writer.commit().await.expect("a commit");

    // Whoever has the tables to himself is waited for, not long, and nobody is held up behind us.
    let owner = other.transaction().await.expect("a transaction");
    owner.execute("lock table pull_chunk in share update exclusive mode", &[]).await.expect("a lock");
    let farther = far + TimeDelta::days(1);
    let failure = Failure::from(rig.store.ensure_partitions(farther, 0).await.expect_err("it cannot wait"));
    assert_eq!((failure.class, failure.code), (Class::Contention, "store.contention"), "{failure:?}");
    rig.store.request_pull("test", now()).await.expect("another pull meanwhile");
    assert!(!days(&rig.db).await.contains(&day(farther)), "half a day is none");
    owner.commit().await.expect("a commit");
    rig.store.ensure_partitions(farther, 0).await.expect("now it can be made");
    assert!(days(&rig.db).await.contains(&day(farther)));
    rig.end(&[]).await;
}

/// A year of partitions before today, and some ahead.
async fn a_year(rig: &Rig) {
    for month in 0..13 {
        let sql = "select ensure_partitions(now() + make_interval(days => 30 * $1::int + n - 380))
                   from generate_series(0, 29) n";
        rig.db.execute(sql, &[&month]).await.expect("partitions");
    }
}

/// Takes every partition but today's, and tomorrow's, from everybody until the connection's transaction ends: whatever
/// touches one waits in vain for its lock, were it only to make a plan.
async fn close_other_days(db: &Client) -> usize {
    let sql = "select inhrelid::regclass::text from pg_inherits
               where inhparent in ('pull_chunk'::regclass, 'pull_data'::regclass, 'provenance'::regclass)
                 and right(inhrelid::regclass::text, 8)
                     not in (to_char(now() at time zone 'UTC', 'YYYYMMDD'),
                             to_char(now() at time zone 'UTC' + interval '1 day', 'YYYYMMDD'))";
    let rows = db.query(sql, &[]).await.expect("partitions");
    let tables: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let lock = format!("begin; lock table {} in access exclusive mode", tables.join(", "));
    db.batch_execute(&lock).await.expect("locks");
    tables.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_after_a_year_of_partitions_touches_those_of_its_day_only() {
    let world = World::generate(WorldConfig { tail: 20, ..WorldConfig::sized(1_500) });
    let mut rig = Rig::new(world).await;
    a_year(&rig).await;
    let other = rig.database.client().await;
    assert!(close_other_days(&other).await > 1_100);

    // More chunks than after which PostgreSQL would try a plan for all values.
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_eq!(report.stored, 1_500);
    let pull = report.pull_id;

    let stored = "select stream_id, channel_id, game_id from pull_data
                  where pull_id = $1 and pulled_at = $2 and game_id is not null limit 1";
    let row = rig.db.query_one(stored, &[&pull.0, &report.started_at]).await.expect("a row");
    let (stored, channel, game): (String, String, String) =
        (row.get("stream_id"), row.get("channel_id"), row.get("game_id"));

    // What else the programs ask, in all the states that a pull can be in.
    let chunk = rig.store.chunks_with_rejects(pull).await.expect("chunks")[0];
    for words in [
        "status",
        "pulls",
        "show latest",
        "rejected groups --pull 1",
        "rejected list --pull 1",
        "rejected replay --pull 1 --min-viewers 0 --yes",
        "rerun latest --from merge --yes",
        "rerun latest --from games --yes",
        "dead-letters list",
        "trace --pull 1",
        "trace --pull 1 --chunk 1",
        &format!("trace --channel {channel}"),
        &format!("trace --game {game}"),
        "trace --channel 99000001",
        &format!("trace --stream {stored} --at 0s"),
        &format!("trace --stream {stored}"),
        &format!("trace --stream {stored} --pull 1"),
        "trace --stream 99000001 --pull 1",
    ] {
        let (code, _, err) = operator(&rig, words).await;
        assert_eq!(code, 0, "{words}: {err}");
        rig.succeeded(pull).await;
    }
    rig.stop_all().await;
    let under_way = rig.store.request_pull("test", now()).await.expect("a pull");
    every_question(&rig.store, under_way, chunk).await;
    let failed = rig.store.fail_chunk(chunk, "test", &dead_letter("finalizer", chunk), now()).await;
    assert!(!failed.expect("an answer"), "it is merged");
    let status = operator_json(&rig, &format!("show {under_way}")).await;
    assert_eq!(status["pull"]["status"], "pending", "{status}");
    other.batch_execute("rollback").await.expect("unlocked");
    purge(&rig.vhost, REJECTED).await;
    rig.end(&[]).await;
}

/// What is asked in the background, or of a pull that is under way, more often than a plan is tried.
async fn every_question(store: &Store, pull: PullId, chunk: ChunkRef) {
    for _ in 0..8 {
        store.progress().await.expect("the progress");
        store.stalled(Duration::ZERO, now()).await.expect("stalled pulls");
        store.pulls(20).await.expect("pulls");
        store.pulls_under_way().await.expect("pulls under way");
        store.stage_spans(pull).await.expect("spans");
        store.waiting(pull, 10).await.expect("waiting chunks");
        store.extraction(pull, "test", now()).await.expect("an extraction");
        store.chunks_to_flow(pull).await.expect("chunks");
        store.lacking_games(chunk, 100, Duration::ZERO, Duration::ZERO, now()).await.expect("games");
        store.games_filled(pull).await.expect("filled");
        store.close(pull, 0.5, now()).await.expect("closed");
    }
}
