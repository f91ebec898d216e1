//! What the database denies: to a program what is not its work, to a reader everything but reading.

use fake_twitch::{World, WorldConfig};
use tokio_postgres::{Client, error::SqlState};

use crate::{
    builders::now,
    rig::Rig,
    services::{Database, PROGRAMS, connect},
};

/// What is another program's work, by program.
const DENIED: [(&str, &[&str]); 6] = [
    (
        "console",
        &[
            "select from helix_token",
            "select from helix_claim",
            // It orders, and asks for a stop: what becomes of that is not its affair.
            "insert into operation (kind, arguments, command, requested_by, requested_from, requested_at, state)
             values ('pause', '{}', '', 'me', 'console', now(), 'running')",
            "update operation set state = 'done'",
            "update operation set requested_by = 'somebody else'",
            "update operation set carried_until = null",
            "delete from operation",
            "insert into operation_step (operation_id, at, step) values (1, now(), '')",
            "insert into stage_pause (stage, paused_by, paused_at) values ('finalizer', 'me', now())",
            "insert into steering (at, by, action, stage) values (now(), 'me', 'pause', 'finalizer')",
            "update dead_letter set state = 'dead'",
            "insert into replay (requested_at, requested_by, filter, active_until) values (now(), 'me', '', now())",
            "update pull set cancelled_at = now()",
        ],
    ),
    (
        "extractor",
        &[
            "delete from dead_letter",
            "delete from dead_letter_event",
            "insert into operation (kind, arguments, command, requested_by, requested_from, requested_at)
             values ('pause', '{}', '', 'me', 'console', now())",
            "update operation set requested_by = 'somebody else'",
            "update operation set stop_by = 'me'",
            "insert into twitch_game (game_id) values ('1')",
            "update twitch_game set name = ''",
            "select from twitch_channel",
            "update pull_data set data = '{}'",
            "update pull_chunk set page = '[]'",
        ],
    ),
    (
        "game-enricher",
        &[
            "delete from dead_letter",
            "select from dead_letter_event",
            "select from replay",
            "select from twitch_channel",
            "update missing_channel set times = 2",
            "select from pull_data",
            "insert into pull (requested_by, started_at) values ('me', now())",
            "update pull set stored = 1",
            "update pull_chunk set channels_at = now()",
            "select ensure_partitions(now())",
        ],
    ),
    (
        "channel-enricher",
        &[
            "select from dead_letter_note",
            "select from twitch_game",
            "update pull_chunk set games_at = now()",
            "update pull_chunk set page = '[]'",
        ],
    ),
    (
        "finalizer",
        &[
            "select from helix_token",
            "update twitch_game set name = ''",
            "update pull_data set viewer_count = 1",
            "delete from dead_letter",
            "update pull_chunk set page = '[]'",
            "insert into replay_letter (replay_id, letter_id) values (1, 1)",
        ],
    ),
    (
        "operator",
        &[
            "select from helix_token",
            "select from helix_claim",
            "update twitch_game set name = ''",
            "delete from dead_letter",
            "delete from dead_letter_event",
        ],
    ),
];

/// Shows that the database denies it.
async fn denied(client: &Client, sql: &str) {
    let error = client.batch_execute(sql).await.expect_err(sql);
    let state = error.code().unwrap_or_else(|| panic!("{sql}: {error}"));
    assert_eq!(*state, SqlState::INSUFFICIENT_PRIVILEGE, "{sql}: {error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_denies_what_is_not_a_programs_work() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    rig.store.request_pull("test", now()).await.expect("a pull, and with it partitions");
    let partition: String = rig
        .db
        .query_one("select inhrelid::regclass::text from pg_inherits limit 1", &[])
        .await
        .expect("a partition")
        .get(0);
    for program in PROGRAMS {
        let client = connect(&rig.database.url_of(program)).await;
        for sql in [
            "alter table pull add column mine text",
            "alter table pull disable trigger all",
            "drop table missed_slot",
            "truncate pull cascade",
            "delete from pull",
            "update pull set started_at = now()",
            "update _sqlx_migrations set version = 99",
            "create table mine ()",
            "create role mine",
            "select grant_roles()",
            "create or replace function ensure_partitions(at timestamptz) returns void language sql as ''",
            "set role twitch",
            &format!("select from {partition}"),
        ] {
            denied(&client, sql).await;
        }
    }
    for (program, statements) in DENIED {
        let client = connect(&rig.database.url_of(program)).await;
        for sql in statements {
            denied(&client, sql).await;
        }
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_reads_what_is_pulled_and_nothing_else() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    rig.start_all();
    rig.whole_pull().await;
    let reader = connect(&rig.database.url_of("reader")).await;
    for view in ["pull", "pull_data", "pull_document", "legacy_pull_data", "twitch_game", "twitch_channel"] {
        let rows: i64 =
            reader.query_one(&format!("select count(*) from {view}"), &[]).await.expect(view).get(0);
        assert!(rows > 0, "{view}");
    }
    for table in ["helix_token", "helix_claim", "dead_letter", "replay", "alarm", "_sqlx_migrations"] {
        denied(&reader, &format!("select from {table}")).await;
    }
    let writable = "
        select c.relname::text from pg_class c
        where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
          and (has_table_privilege(c.oid, 'insert, update, delete, truncate, references, trigger')
               or c.relkind <> 'S' and has_any_column_privilege(c.oid, 'insert, update, references'))
        order by 1";
    let console = connect(&rig.database.url_of("console")).await;
    for (who, writes) in [(&reader, &[][..]), (&console, &["event", "operation"][..])] {
        let rows = who.query(writable, &[]).await.expect("a list");
        let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(names, writes, "it can write nothing else");
        denied(who, "select ensure_partitions(now())").await;
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_cannot_lead_the_owners_function_astray() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let extractor = connect(&rig.database.url_of("extractor")).await;
    let trap =
        "create temporary table pull_data (mine text); create temporary table pull_data_20300101 (mine text)";
    extractor.batch_execute(trap).await.expect("its own temporary tables");
    extractor.execute("select ensure_partitions('2030-01-01')", &[]).await.expect("partitions");
    let there = "select count(*) from pg_inherits where inhparent = 'pull_data'::regclass";
    let partitions: i64 = rig.db.query_one(there, &[]).await.expect("a count").get(0);
    assert_eq!(partitions, 1, "it saw the real tables");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_who_may_not_create_roles_has_a_schema_all_the_same() {
    let database = Database::create().await;
    shared::store::migrate(&database.url()).await.expect("the migrations should run");
    let client = database.client().await;
    // As if nobody had created one of the roles yet: seen from this transaction alone, which comes to nothing.
    let without = "
        begin;
        alter role twitch_reader rename to twitch_reader_of_somebody_else;
        create role suite_plain_owner;
        grant create, usage on schema public to suite_plain_owner;
        grant execute on function grant_roles() to suite_plain_owner;
        set local role suite_plain_owner;
        select grant_roles()";
    client.batch_execute(without).await.expect("a warning, and no error");
    let made: bool =
        client.query_one("select to_regrole('twitch_reader') is not null", &[]).await.expect("a look").get(0);
    assert!(!made, "it could not be made");
    client.batch_execute("rollback").await.expect("undone");
    client.batch_execute("select grant_roles()").await.expect("the grants can be made again");
    drop(client);
    database.drop().await;
}
