//! Retention: what is past its time leaves, nothing else does, and nobody waits for it.

use chrono::{Days, TimeDelta};
use fake_twitch::{World, WorldConfig};
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    dead_letter::DeadLetterStore,
    retention::{self, Removed},
    schema::{ChunkRef, PullId},
    store::{Kind, NewPage},
};
use tokio_postgres::Client;

use crate::{
    builders::{dead_letter, now, pages, store_as},
    dead_letter_rig::operator,
    rig::Rig,
};

/// A pull of one page, started so many days ago, merged but not closed.
pub(crate) async fn merged(rig: &Rig, days: u64) -> ChunkRef {
    let at = now() - Days::new(days);
    let store = &rig.store;
    let pull = store.request_pull("test", at).await.expect("a pull");
    let so_far = store.extraction(pull, "test", at).await.expect("a pull").expect("nobody else fetches it");
    let records = &pages(rig.twitch.world(), 20)[0];
    let page = NewPage {
        fetched: i32::try_from(records.len()).expect("a short page"),
        records,
        rejects: &[],
        next_cursor: None,
        nul_replaced: 0,
        helix_calls: 1,
    };
    let chunk = store_as(store, &so_far, &page, true, at).await.chunk;
    store.filled(Kind::Game, &[chunk], 0, at).await.expect("games are filled");
    store.games_filled(pull).await.expect("games are filled");
    store.filled(Kind::Channel, &[chunk], 0, at).await.expect("channels are filled");
    store.merge(&[chunk], at).await.expect("merged");
    chunk
}

/// A pull that has succeeded so many days ago.
pub(crate) async fn succeeded(rig: &Rig, days: u64) -> PullId {
    let chunk = merged(rig, days).await;
    let at = now() - Days::new(days);
    assert!(rig.store.close(chunk.pull_id, 1.0, at).await.expect("closed"));
    chunk.pull_id
}

pub(crate) async fn rig() -> Rig {
    Rig::new(World::generate(WorldConfig::plain(20))).await
}

/// Carries it out as the owner.
pub(crate) async fn apply(rig: &Rig) -> Vec<Removed> {
    let removed = retention::apply(&rig.store, &Clock::System, "test", false).await;
    removed.expect("retention").expect("nobody else is at it")
}

pub(crate) fn of<'a>(removed: &'a [Removed], class: &str) -> &'a Removed {
    removed.iter().find(|removed| removed.class == class).expect("a class")
}

/// The days of a table that are there, attached or not, as ages.
pub(crate) async fn ages(db: &Client, table: &str) -> Vec<i64> {
    let sql = "select to_date(right(relname, 8), 'YYYYMMDD') from pg_class
               where relkind = 'r' and relname ~ ('^' || $1 || '_[0-9]{8}$') order by 1 desc";
    let rows = db.query(sql, &[&table]).await.expect("tables");
    let days = rows.iter().map(|row| row.get::<_, chrono::NaiveDate>(0));
    days.map(|day| (now().date_naive() - day).num_days()).filter(|age| *age >= 0).collect()
}

pub(crate) async fn keep_rows_for(rig: &Rig, days: u32) {
    keep(rig, "rows", days).await;
}

async fn keep(rig: &Rig, class: &str, days: u32) {
    let (code, _, err) = operator(rig, &format!("retention set {class} {days}d --yes")).await;
    assert_eq!(code, 0, "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_days_leave_but_for_those_that_somebody_still_needs() {
    let rig = rig().await;
    succeeded(&rig, 0).await;
    succeeded(&rig, 100).await;
    let under_way = merged(&rig, 101).await;
    let with_dead_letter = merged(&rig, 102).await;
    rig.store.close(with_dead_letter.pull_id, 1.0, now()).await.expect("closed");
    rig.store.record(&dead_letter("finalizer", with_dead_letter)).await.expect("a dead letter");

    // Rows are kept for ever unless somebody says otherwise.
    let removed = apply(&rig).await;
    assert_eq!((of(&removed, "pages").days.len(), of(&removed, "rows").days.len()), (1, 0), "{removed:?}");
    assert_eq!(ages(&rig.db, "pull_data").await, [0, 100, 101, 102]);
    keep_rows_for(&rig, 90).await;

    let (_, shown, err) = operator(&rig, "retention show --json").await;
    let rows: Value = serde_json::from_str(shown.lines().nth(2).expect(&err)).expect("JSON");
    assert_eq!(
        (&rows["class"], &rows["ttl_hours"], &rows["rows"]),
        (&json!("rows"), &json!(2160), &json!(80)),
        "{rows}"
    );
    assert_eq!(rows["due"]["days"].as_array().map(Vec::len), Some(1), "{rows}");
    assert_eq!(ages(&rig.db, "pull_data").await, [0, 100, 101, 102], "showing removes nothing");

    let removed = apply(&rig).await;
    assert_eq!(of(&removed, "rows").days.len(), 1);
    let why: Vec<&str> = of(&removed, "rows").kept.iter().map(|kept| kept.why.as_str()).collect();
    assert_eq!(why, ["1 pull with open dead letters", "1 pull under way"]);
    for table in ["pull_chunk", "pull_data"] {
        assert_eq!(ages(&rig.db, table).await, [0, 101, 102], "{table}");
    }

    // The needs end, and the days leave.
    let at = now();
    assert!(rig.store.close(under_way.pull_id, 1.0, at).await.expect("closed"));
    rig.db.execute("update dead_letter set state = 'cured'", &[]).await.expect("resolved");
    apply(&rig).await;
    for table in ["pull_chunk", "pull_data"] {
        assert_eq!(ages(&rig.db, table).await, [0], "{table}");
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_leave_in_batches_and_open_dead_letters_never() {
    let rig = rig().await;
    let chunk = merged(&rig, 40).await;
    let fill = format!(
        "insert into alarm (at, queue, kind, detail)
             select now() - interval '100 days', 'q', 'age', '' from generate_series(1, 2500);
         insert into alarm (at, queue, kind, detail) values (now(), 'q', 'age', '');
         insert into missed_slot values (now() - interval '400 days', '', now()), (now(), '', now());
         insert into missing_game values ('1', 'absent', now(), now() - interval '200 days', 1, 1, 1);
         insert into missing_channel values ('1', 'absent', now(), now(), 1, 1, 1);
         update pull_chunk set rejects = '[]' where chunk = {}",
        chunk.chunk
    );
    rig.db.batch_execute(&fill).await.expect("rows");
    // Three that are closed, of which one came back as the second, and one that is open; all old.
    for chunk in 1..=4 {
        let dead_letter = dead_letter("finalizer", ChunkRef { chunk, ..chunk_of(&rig).await });
        rig.store.record(&dead_letter).await.expect("a dead letter");
    }
    let close = "update dead_letter set state = case when chunk = 4 then 'held' else 'discarded' end,
                     replay_of = case when chunk = 2 then (select id from dead_letter where chunk = 1) end,
                     state_at = now() - interval '100 days';
                 insert into replay (requested_at, requested_by, filter, active_until, ended_at)
                     values (now(), 'test', '', now(), now() - interval '100 days');
                 insert into replay_letter (replay_id, letter_id) select r.id, d.id from replay r, dead_letter d where chunk = 3";
    rig.db.batch_execute(close).await.expect("old dead letters");

    let removed = apply(&rig).await;
    let rows = |class| of(&removed, class).rows;
    assert_eq!(
        [rows("alarms"), rows("slots"), rows("missing-ids"), rows("rejects"), rows("dead-letters")],
        [2500, 1, 1, 1, 3]
    );
    let left = "select (select count(*) from alarm), (select count(*) from missed_slot), (select count(*) from dead_letter),
                       (select count(*) from replay), (select count(*) from missing_channel)";
    let row = rig.db.query_one(left, &[]).await.expect("counts");
    let left: Vec<i64> = (0..5).map(|column| row.get(column)).collect();
    assert_eq!(left, [1, 1, 1, 0, 1]);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_noted_leaves_when_it_is_old_and_open_orders_never() {
    let rig = rig().await;
    // Each chunk leaves provenance of its day; that of the oldest day has no partition.
    for days in [0, 89, 91, 100] {
        succeeded(&rig, days).await;
    }
    let fill = "
        insert into event (day, fingerprint, level, stage, message, build, host, count, first_at, last_at)
            select current_date - days, 'cause', 'WARN', 'finalizer', '', '', '', 1, now() - make_interval(days => days),
                   now() - make_interval(days => days)
            from unnest(array[0, 89, 91, 200]) days;
        insert into provenance (pull_id, pulled_at, chunk, at, stage, action, build)
            select 1, now() - make_interval(days => days), 1, now(), 'finalizer', 'ROUTE', '' from unnest(array[95, 5]) days;
        insert into pull_history (pull_id, at, event, stored, rejected)
            values (1, now() - interval '366 days', 'success', 1, 0);
        insert into worker_history (at, stage, replica, build, host, event)
            select now() - make_interval(days => days), 'finalizer', '', '', '', 'started' from unnest(array[1, 366]) days;
        insert into steering (at, by, action, stage)
            select now() - make_interval(days => days), 'ada', 'pause', 'finalizer' from unnest(array[1, 366]) days;
        insert into run_once (stage, requested_by, requested_at, outcome, ended_at)
            values ('finalizer', 'ada', now() - interval '366 days', null, null),
                   ('finalizer', 'ada', now() - interval '366 days', 'nothing-waits', now());
        insert into stage_pause (stage, paused_by, paused_at) values ('finalizer', 'ada', now() - interval '400 days')";
    rig.db.batch_execute(fill).await.expect("rows");
    let before = ages(&rig.db, "provenance").await;
    assert_eq!(before, [0, 89, 91, 100], "each day has its partition");

    let removed = apply(&rig).await;
    let rows = |class| of(&removed, class).rows;
    // Of each pull that left: received, its games, its channels, merged.
    assert_eq!([rows("events"), rows("provenance"), rows("history")], [2, 2 * 4 + 1, 4], "{removed:?}");
    let days: Vec<i64> =
        of(&removed, "provenance").days.iter().map(|day| (now().date_naive() - *day).num_days()).collect();
    assert_eq!(days, [100, 91], "days that are empty then are dropped");
    assert_eq!(ages(&rig.db, "provenance").await, [0, 89]);
    let left = "select (select count(*) from event), (select count(*) from provenance), (select count(*) from pull_history),
                       (select count(*) from worker_history), (select count(*) from steering), (select count(*) from run_once),
                       (select count(*) from stage_pause)";
    let row = rig.db.query_one(left, &[]).await.expect("counts");
    let left: Vec<i64> = (0..7).map(|column| row.get(column)).collect();
    assert_eq!(left, [2, 2 * 4 + 1, 4, 1, 1, 1, 1]);

    // A day that somebody is writing to is left to the next run, and nobody waits for it.
    rig.db.batch_execute("delete from provenance").await.expect("deleted");
    let mut other = rig.database.client().await;
    let writer = other.transaction().await.expect("a transaction");
    writer.execute("insert into provenance select * from provenance", &[]).await.expect("a lock");
    keep(&rig, "provenance", 1).await;
    assert_eq!(of(&apply(&rig).await, "provenance").days, [], "somebody writes");
    writer.commit().await.expect("a commit");
    assert_eq!(of(&apply(&rig).await, "provenance").days.len(), 1);
    assert_eq!(ages(&rig.db, "provenance").await, [0]);
    rig.end(&[]).await;
}

/// Any chunk.
async fn chunk_of(rig: &Rig) -> ChunkRef {
    let row = rig.db.query_one("select id, started_at from pull limit 1", &[]).await.expect("a pull");
    ChunkRef { pull_id: PullId(row.get("id")), pulled_at: row.get("started_at"), chunk: 1 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_lake_should_have_and_has_not_stays_unless_told_so() {
    let rig = rig().await;
    let exported = succeeded(&rig, 100).await;
    succeeded(&rig, 101).await;
    keep_rows_for(&rig, 90).await;
    let lake = format!(
        "create schema if not exists lake;
         create table if not exists lake.export (pull_id bigint, table_name text, day date, completed_at timestamptz,
             path text, record_count bigint, exported_at timestamptz);
         insert into lake.export (pull_id, table_name, day, completed_at, path, record_count, exported_at)
             select id, 'stream_peek', started_at::date, completed_at, '', stored, now() from pull where id = {exported}"
    );
    rig.db.batch_execute(&lake).await.expect("a lake");
    let removed = apply(&rig).await;
    assert_eq!(of(&removed, "rows").days, [(now() - Days::new(100)).date_naive()]);
    assert_eq!(of(&removed, "rows").kept[0].why, "1 pull not in the lake");
    let told = retention::apply(&rig.store, &Clock::System, "test", true).await;
    assert_eq!(of(&told.expect("retention").expect("elected"), "rows").days.len(), 1);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lake_has_not_stays_also_where_it_never_got_anything() {
    let rig = rig().await;
    succeeded(&rig, 100).await;
    keep_rows_for(&rig, 90).await;
    assert!(!rig.store.lake_in_use().await.expect("an answer"));
    // All that an exporter leaves whose storage has refused it since the first day.
    rig.store.register_lake("s3://lake/", now()).await.expect("registered");
    assert!(rig.store.lake_in_use().await.expect("an answer"));
    let removed = apply(&rig).await;
    assert_eq!(of(&removed, "rows").kept[0].why, "1 pull not in the lake");
    let finalizer = rig.own_store("finalizer");
    assert!(finalizer.lake_in_use().await.expect("it may look"));
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn raw_pages_can_leave_within_a_day_and_their_streams_stay() {
    let rig = rig().await;
    let old = succeeded(&rig, 1).await;
    let new = succeeded(&rig, 0).await;
    let (code, _, err) = operator(&rig, "retention set raw 20h --yes").await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(of(&apply(&rig).await, "raw").rows, 1);
    let left = "select pull_id, count(page) as pages, count(*) as chunks from pull_chunk group by pull_id order by pull_id";
    let left: Vec<(i64, i64, i64)> = rig
        .db
        .query(left, &[])
        .await
        .expect("pages")
        .iter()
        .map(|row| (row.get("pull_id"), row.get("pages"), row.get("chunks")))
        .collect();
    assert_eq!(left, [(old.0, 0, 1), (new.0, 1, 1)]);
    let streams = "select count(*) from pull_stream where pull_id = $1";
    assert_eq!(rig.db.query_one(streams, &[&old.0]).await.expect("streams").get::<_, i64>(0), 20);
    let (code, _, err) = operator(&rig, &format!("rerun {old} --yes")).await;
    assert!(code == 1 && err.contains("of which 0 are still there"), "{err}");

    // Looked at more often than daily from now on.
    let at = |hours| Clock::manual(now() + TimeDelta::hours(hours));
    assert!(retention::apply_if_due(&rig.store, &at(4), "test").await.expect("retention").is_none());
    assert!(retention::apply_if_due(&rig.store, &at(6), "test").await.expect("retention").is_some());
    rig.end(&[]).await;
}
