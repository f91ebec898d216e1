//! Each row is written once: what holds until then, who writes it, and pulls that began under the schema before.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fake_twitch::{Endpoint, World, WorldConfig};
use serde_json::Value;
use shared::{
    runtime::{Job, Step, Worker},
    schema::{ChunkRef, ChunkStored, PullId, PullRequested, decode},
    store::{Kind, Merged, RerunFrom, Store, migrate},
};
use tokio_postgres::{Client, types::Json};

use crate::{
    builders::{extracted, filled, now, pages, store_page},
    rig::Rig,
    services::Database,
    truth::assert_matches_world,
};

/// The migrations up to the one before pages moved.
const BEFORE: [&str; 14] = [
    include_str!("../../../migrations/0001_pull.sql"),
    include_str!("../../../migrations/0002_catalogue.sql"),
    include_str!("../../../migrations/0003_views.sql"),
    include_str!("../../../migrations/0004_dead_letters.sql"),
    include_str!("../../../migrations/0005_letters_mended.sql"),
    include_str!("../../../migrations/0006_rejected_record.sql"),
    include_str!("../../../migrations/0007_claim_holder.sql"),
    include_str!("../../../migrations/0008_rerun.sql"),
    include_str!("../../../migrations/0009_roles.sql"),
    include_str!("../../../migrations/0010_schema_promise.sql"),
    include_str!("../../../migrations/0011_worker_state.sql"),
    include_str!("../../../migrations/0012_partitions_ahead.sql"),
    include_str!("../../../migrations/0013_twitch_data.sql"),
    include_str!("../../../migrations/0014_roles.sql"),
];

/// A database of schema 14.
async fn of_schema_14() -> (Database, Client) {
    let newest = Database::create().await;
    migrate(&newest.url()).await.expect("the migrations should run");
    let sql =
        "select version, description, checksum from _sqlx_migrations where version <= 14 order by version";
    let applied = newest.client().await.query(sql, &[]).await.expect("what was applied");
    let database = Database::create().await;
    let db = database.client().await;
    let ledger = "create table _sqlx_migrations (
        version bigint primary key, description text not null, installed_on timestamptz not null default now(),
        success boolean not null, checksum bytea not null, execution_time bigint not null)";
    db.batch_execute(ledger).await.expect("the ledger");
    for (sql, row) in BEFORE.into_iter().zip(&applied) {
        db.batch_execute(sql).await.expect("a migration");
        let note = "insert into _sqlx_migrations values ($1, $2, now(), true, $3, 0)";
        let (version, description, checksum): (i64, &str, &[u8]) =
            (row.get("version"), row.get("description"), row.get("checksum"));
        db.execute(note, &[&version, &description, &checksum]).await.expect("noted");
    }
    newest.drop().await;
    (database, db)
}

/// A pull of two pages as a build of schema 14 left it: typed columns without documents.
async fn begun_before(db: &Client, world: &World, at: DateTime<Utc>) -> (PullId, Vec<ChunkRef>) {
    db.execute("select ensure_partitions($1)", &[&at]).await.expect("partitions");
    let pull = "insert into pull (requested_by, started_at, extracted_at, stop_reason, status, pages, chunks, fetched, stored,
                                  helix_calls)
                values ('test', $1, $1, 'end', 'filling-games', 2, 2, 20, 20, 2) returning id";
    let pull_id: i64 = db.query_one(pull, &[&at]).await.expect("a pull").get("id");
    let mut chunks = Vec::new();
    for (number, page) in (1..).zip(pages(world, 10)) {
        let chunk = "insert into pull_chunk (pull_id, pulled_at, chunk, page, game_ids, channel_ids, fetched, stored, rejected,
                                             duplicates, stored_at)
                     select $1, $2, $3, $4, array(select distinct r->>'game_id' from jsonb_array_elements($4) r),
                            array(select r->>'user_id' from jsonb_array_elements($4) r), 10, 10, 0, 0, $2";
        db.execute(chunk, &[&pull_id, &at, &number, &Json(&page)]).await.expect("a chunk");
        let rows = "insert into pull_data (pull_id, pulled_at, chunk, stream_id, channel_id, channel_login, channel_name, game_id,
                                           game_name, viewer_count, language, started_at, type, title, tags, is_mature)
                    select $1, $2, $3, id, user_id, user_login, user_name, nullif(game_id, ''), game_name, viewer_count,
                           language, started_at, type, title, tags, is_mature
                    from jsonb_to_recordset($4) as record (
                        id text, user_id text, user_login text, user_name text, game_id text, game_name text,
                        viewer_count int, language text, started_at timestamptz, type text, title text, tags text[],
                        is_mature bool)";
        db.execute(rows, &[&pull_id, &at, &number, &Json(&page)]).await.expect("its rows");
        chunks.push(ChunkRef { pull_id: PullId(pull_id), pulled_at: at, chunk: number });
    }
    (PullId(pull_id), chunks)
}

/// The pull's documents by stream, and which are merged.
async fn documents(db: &Client, pull: PullId) -> Vec<(String, Value, bool)> {
    let sql = "select stream_id, data, merged from pull_document where pull_id = $1 order by stream_id";
    let rows = db.query(sql, &[&pull.0]).await.expect("documents");
    rows.iter().map(|row| (row.get("stream_id"), row.get("data"), row.get("merged"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_begun_under_the_schema_before_is_shown_and_finished() {
    let world = World::generate(WorldConfig::plain(20));
    let (database, db) = of_schema_14().await;
    let at = now();
    let (pull, chunks) = begun_before(&db, &world, at).await;
    let before = documents(&db, pull).await;
    migrate(&database.url()).await.expect("the migration should run");
    assert_eq!(documents(&db, pull).await, before, "shown as before");
    assert_eq!((before.len(), before[0].2), (20, false));

    let store = Store::new(&database.url(), 4, "test").expect("a store");
    let so_far = store.extraction(pull, "test", at).await.expect("a pull").expect("ours alone");
    assert!(so_far.ended);
    for kind in [Kind::Game, Kind::Channel] {
        let needs = store.needs(kind, &chunks, Duration::MAX, Duration::MAX, at).await.expect("needs");
        assert!(needs.iter().all(|need| need.as_ref().is_some_and(|need| !need.ids.is_empty())));
        store.filled(kind, &chunks, 3, at).await.expect("filled");
    }
    assert_eq!(store.merge(&chunks, at).await.expect("merged"), [Merged::Now; 2]);
    assert!(store.close(pull, 0.5, at).await.expect("closed"));
    let report = store.pull_report(pull).await.expect("a report");
    assert_eq!((report.status.as_str(), report.stored, report.helix_calls), ("success", 20, 8));
    let after = documents(&db, pull).await;
    assert!(after.iter().all(|(_, data, merged)| *merged && data["channel"].is_null()), "{after:#?}");
    let whole = "select count(*) as rows, count(data) as documents from pull_data";
    let row = db.query_one(whole, &[]).await.expect("counts");
    assert_eq!((row.get::<_, i64>("rows"), row.get::<_, i64>("documents")), (20, 20));
    let legacy = "select sum((data->>'_total')::int)::bigint as total, sum(json_array_length(data->'streams')) as streams
                  from legacy_pull_data";
    let row = db.query_one(legacy, &[]).await.expect("counts");
    assert_eq!((row.get::<_, i64>("total"), row.get::<_, i64>("streams")), (20, 20));
    drop((store, db));
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validated_record_can_be_read_before_its_chunk_is_merged_and_when_its_pull_fails() {
    let rig = Rig::new(World::generate(WorldConfig::plain(20))).await;
    let chunks = extracted(&rig.store, &pages(rig.twitch.world(), 10)).await;
    let shown = "select count(*) as rows, count(*) filter (where merged) as merged, sum(viewer_count)::bigint as viewers
                 from pull_stream";
    let written = "select count(*) as rows from pull_data";
    let wanted = rig.twitch.world().streams().iter().map(|stream| stream.viewer_count).sum::<u64>();
    for (merged, rows) in [(0, 0), (1, 10), (2, 20)] {
        if merged > 0 {
            let chunk = chunks[merged - 1];
            for kind in [Kind::Game, Kind::Channel] {
                rig.store.filled(kind, &[chunk], 0, now()).await.expect("filled");
            }
            rig.store.merge(&[chunk], now()).await.expect("merged");
        }
        let row = rig.db.query_one(shown, &[]).await.expect("streams");
        let sum: i64 = row.get("viewers");
        assert_eq!((row.get::<_, i64>("rows"), row.get::<_, i64>("merged")), (20, rows));
        assert_eq!(u64::try_from(sum).ok(), Some(wanted));
        assert_eq!(rig.db.query_one(written, &[]).await.expect("rows").get::<_, i64>("rows"), rows);
        if merged == 0 {
            assert!(rig.store.fail_pull(chunks[0].pull_id, "test", None, None, now()).await.expect("failed"));
        }
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_who_merge_the_same_chunks_one_writes_their_rows() {
    let rig = Rig::new(World::generate(WorldConfig::plain(60))).await;
    for _ in 0..20 {
        let chunks = filled(&rig.store, &pages(rig.twitch.world(), 10)).await;
        let backwards: Vec<ChunkRef> = chunks.iter().rev().copied().collect();
        let merges = [&chunks, &backwards, &chunks].map(|chunks| {
            let (store, chunks) = (rig.store.clone(), chunks.clone());
            tokio::spawn(async move { store.merge(&chunks, now()).await })
        });
        let mut done = 0;
        for merge in merges {
            let outcome = merge.await.expect("a task").expect("merged");
            done += outcome.iter().filter(|merged| **merged == Merged::Now).count();
        }
        assert_eq!(done, chunks.len());
        let twice = [chunks[0], chunks[0]];
        assert_eq!(rig.store.merge(&twice, now()).await.expect("merged"), [Merged::Before; 2]);
        // Once more: the rows are there, and are written over.
        let pull = chunks[0].pull_id;
        assert!(rig.store.close(pull, 0.5, now()).await.expect("closed"));
        rig.db
            .execute("update pull_data set data = '{}' where pull_id = $1", &[&pull.0])
            .await
            .expect("spoilt");
        let again = rig.store.rerun(pull, RerunFrom::Merge, "test", now()).await.expect("put back").unmerged;
        assert_eq!(rig.store.merge(&again, now()).await.expect("merged"), [Merged::Now; 6]);
        let sql = "select count(*) as rows, count(*) filter (where data ? 'channel') as whole from pull_data where pull_id = $1";
        let row = rig.db.query_one(sql, &[&pull.0]).await.expect("counts");
        assert_eq!((row.get::<_, i64>("rows"), row.get::<_, i64>("whole")), (60, 60));
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_takes_a_pull_over_announces_all_that_may_be_untold_and_stores_no_stream_twice() {
    let rig = Rig::new(World::generate(WorldConfig::plain(450))).await;
    let pull = rig.store.request_pull("test", now()).await.expect("a pull");
    let read = pages(rig.twitch.world(), 100);
    for page in &read[3..] {
        store_page(&rig.store, pull, page, false).await;
    }
    rig.let_leases_run_out().await;
    let extractor = rig.extractor();
    let job = |steps| [Job { message: PullRequested { pull_id: pull }, held: Duration::ZERO, steps }];
    let Ok(Step::More(said)) = extractor.handle(&job(0)).await.remove(0) else { panic!("told again") };
    let chunk =
        |said: &shared::topology::Announcement| decode::<ChunkStored>(&said.body).expect("a chunk").0.chunk;
    assert_eq!(said.iter().map(chunk).collect::<Vec<_>>(), [1, 2]);

    // The cursors of the test are none of Twitch's: the list is read from its top, and its end comes a second time.
    rig.db.execute("update pull set cursor = null", &[]).await.expect("from the top");
    let extractor = rig.extractor();
    rig.let_leases_run_out().await;
    let mut steps = 1;
    while let Step::More(_) = extractor.handle(&job(steps)).await.remove(0).expect("stored") {
        steps += 1;
    }
    let report = rig.store.pull_report(pull).await.expect("a report");
    assert_eq!((report.stored, report.duplicates), (450, 150), "{report:#?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_is_booked_once_however_often_the_pull_is_closed() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(350))).await;
    rig.start_all();
    let report = rig.whole_pull().await;
    let stats = rig.twitch.stats();
    let calls = [Endpoint::Streams, Endpoint::Games, Endpoint::Users].map(|endpoint| stats.calls(endpoint));
    assert_eq!(u64::try_from(report.helix_calls).ok(), Some(calls.iter().sum()), "{calls:?}");
    for from in [RerunFrom::Merge, RerunFrom::Games] {
        let rerun =
            shared::pull::rerun(&rig.store, &rig.announcer, &rig.setup.clock, report.pull_id, from, "test");
        rerun.await.expect("put back");
        assert_eq!(rig.succeeded(report.pull_id).await.helix_calls, report.helix_calls, "{from:?}");
    }
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    rig.end(&[]).await;
}
