//! Retention as a duty: once a day, while others write, and where it was cut short.

use chrono::{DateTime, Days, TimeDelta, Utc};
use shared::{
    clock::Clock,
    retention::{self},
    store::Store,
    topology::FINALIZER,
};
use tokio_postgres::Client;

use crate::retention::{ages, apply, keep_rows_for, of, rig, succeeded};
use crate::{builders::now, dead_letter_rig::operator, eventually::eventually, rig::Rig};

/// A store whose sessions wait so long for a lock.
fn store_that_waits(rig: &Rig, lock_timeout: &str) -> Store {
    let url = format!("{}?options=-c%20lock_timeout%3D{lock_timeout}", rig.database.plain_url());
    Store::new(&url.into(), 4, "retention").expect("a store")
}

/// Waits until a statement of retention that begins so waits for a lock.
async fn retention_waits(db: &Client, begins: &str) {
    let sql =
        "select from pg_stat_activity where datname = current_database() and application_name = 'retention'
                 and starts_with(query, $1) and wait_event_type = 'Lock'";
    eventually("retention should wait for the writer", || async {
        db.query_opt(sql, &[&begins]).await.expect("statements").ok_or(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_writes_while_a_day_leaves_is_not_held_up() {
    let rig = rig().await;
    let today = succeeded(&rig, 0).await;
    succeeded(&rig, 100).await;
    keep_rows_for(&rig, 90).await;

    // Somebody is in the middle of writing to both tables.
    let (mut slow, quick) = (rig.database.client().await, rig.database.client().await);
    let write = "update pull_chunk set failure = 'x' where pull_id = $1";
    let lock = "select from pull_data where pull_id = $1 for update";
    let writer = slow.transaction().await.expect("a transaction");
    writer.execute(write, &[&today.0]).await.expect("a write");
    writer.execute(lock, &[&today.0]).await.expect("a lock");

    let store = store_that_waits(&rig, "60s");
    let run = tokio::spawn(async move { retention::apply(&store, &Clock::System, "test", false).await });
    retention_waits(&rig.db, "/* days::detach */").await;

    // Nothing that retention has, or waits for, conflicts with a writer of the tables.
    let locks = "select distinct c.relname || ' ' || mode from pg_locks l join pg_class c on c.oid = l.relation
                 join pg_stat_activity a using (pid)
                 where a.application_name = 'retention' and c.relname ~ '^pull_(data|chunk)'
                   and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')";
    let held: Vec<String> =
        rig.db.query(locks, &[]).await.expect("locks").iter().map(|row| row.get(0)).collect();
    assert_eq!(held, [""; 0]);
    // And so other writers write, and nobody waits behind retention.
    let insert = "insert into pull_data select (jsonb_populate_record(d, '{\"stream_id\": \"777\"}')).* from pull_data d
                  where pull_id = $1 limit 1";
    quick.batch_execute("set lock_timeout = '5s'").await.expect("a setting");
    assert_eq!(quick.execute(insert, &[&today.0]).await.expect("a row"), 1);
    let blocked = "select count(*) from pg_stat_activity a where datname = current_database() and exists (
                       select from unnest(pg_blocking_pids(a.pid)) b join pg_stat_activity r on r.pid = b
                       where r.application_name = 'retention')";
    assert_eq!(rig.db.query_one(blocked, &[]).await.expect("a count").get::<_, i64>(0), 0);

    writer.commit().await.expect("a commit");
    let removed = run.await.expect("a task").expect("retention").expect("nobody else is at it");
    assert_eq!(of(&removed, "rows").days.len(), 1, "{removed:?}");
    assert_eq!(ages(&rig.db, "pull_data").await, [0]);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_cut_short_is_finished_by_the_next() {
    let rig = rig().await;
    let today = succeeded(&rig, 0).await;
    succeeded(&rig, 100).await;
    succeeded(&rig, 101).await;
    let mut other = rig.database.client().await;
    let reader = other.transaction().await.expect("a transaction");
    reader.execute("select from pull_chunk where pull_id = $1", &[&today.0]).await.expect("a read");

    let hasty = store_that_waits(&rig, "200ms");
    let removed = retention::apply(&hasty, &Clock::System, "test", false).await;
    let removed = removed.expect("retention").expect("nobody else is at it");
    assert_eq!(of(&removed, "pages").days.len(), 0);
    assert!(of(&removed, "pages").kept[0].why.contains("is open for too long"), "{removed:?}");
    assert_eq!(ages(&rig.db, "pull_chunk").await, [0, 100, 101]);
    // What is half detached hinders nobody.
    succeeded(&rig, 0).await;

    reader.commit().await.expect("a commit");
    let removed = apply(&rig).await;
    assert_eq!(of(&removed, "pages").days.len(), 2, "{removed:?}");
    assert_eq!(ages(&rig.db, "pull_chunk").await, [0]);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_that_was_detached_to_be_dropped_is_dropped_and_one_that_somebody_keeps_is_not() {
    let rig = rig().await;
    succeeded(&rig, 100).await;
    succeeded(&rig, 101).await;
    let table = |days| format!("pull_chunk_{}", (now() - Days::new(days)).format("%Y%m%d"));
    let (ours, kept) = (table(100), table(101));
    let detach = format!(
        "comment on table {ours} is 'to be dropped by retention'; alter table pull_chunk detach partition {ours};
         alter table pull_chunk detach partition {kept}"
    );
    rig.db.batch_execute(&detach).await.expect("detached");
    let removed = apply(&rig).await;
    assert_eq!(of(&removed, "pages").days.len(), 1, "{removed:?}");
    assert_eq!(ages(&rig.db, "pull_chunk").await, [101]);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_done_once_a_day_and_only_with_the_owners_rights() {
    let rig = rig().await;
    let due = |at: DateTime<Utc>| {
        let store = rig.store.clone();
        async move {
            let clock = Clock::manual(at);
            retention::apply_if_due(&store, &clock, "test").await.expect("retention").is_some()
        }
    };
    let at = now();
    let (one, other) = tokio::join!(due(at), due(at));
    assert!(one || other);
    assert!(!due(at + TimeDelta::hours(23)).await);
    assert!(due(at + TimeDelta::hours(25)).await);

    let (code, _, err) = operator(&rig, "retention apply --yes").await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("does not own the tables"), "{err}");
    let mut rig = rig;
    rig.start(rig.finalizer());
    rig.waits(FINALIZER.info().queue(), 0).await;
    rig.end(&[]).await;
}
