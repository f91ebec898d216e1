//! What may grow is kept for a time that somebody can set, or somebody has said why not.

use std::collections::BTreeSet;

use fake_twitch::{World, WorldConfig};
use serde_json::{Value, json};
use shared::store::{Place, RETENTION_CLASSES};

use crate::{
    dead_letter_rig::operator,
    retention::{apply, keep_rows_for, merged, of, rig, succeeded},
    rig::Rig,
};

/// Tables without a class, and why. `lake.ducklake_…` stands for the tables of DuckLake's catalogue.
const WITHOUT: [(&str, &str); 21] = [
    ("_sqlx_migrations", "a row per migration"),
    ("schema_promise", "a row per migration"),
    ("pull", "a row per pull: the account of what was collected"),
    ("pull_rerun", "a row per rerun that a person asked for: part of its pull's account"),
    ("helix_claim", "what runs out within minutes"),
    ("helix_token", "a row per client id"),
    ("dead_letter_note", "a row per cause that a person has written about"),
    ("alarm_watch", "a row per queue"),
    ("worker_state", "a row per process: it leaves with it"),
    ("stage_retry", "a row per message that waits to be tried again"),
    ("stage_pause", "a row per stage"),
    ("record_shape", "a row per type of a field of Twitch's records"),
    ("retention", "a row per class"),
    ("erasure", "the proof that a channel was erased"),
    ("erasure_subject", "leaves when its erasure ends"),
    ("lake.export", "which pull is in which file: as `pull`"),
    ("lake.manifest", "a row per folder of the lake, which stays"),
    ("lake.checksum", "leaves with its file"),
    ("lake.home", "a single row: whose the lake is"),
    ("lake.ducklake_", "the lake's catalogue: a file leaves it with the last snapshot that has it"),
    ("operation_step", "leaves with its operation"),
];

/// The tables of a place.
fn tables(place: &Place) -> Vec<&'static str> {
    match *place {
        Place::Days { table, .. }
        | Place::Rows { table, .. }
        | Place::RowsOfDays { table, .. }
        | Place::Unnamed { table, .. } => vec![table],
        Place::Columns { .. } => vec!["pull_chunk"],
        Place::DeadLetters => vec!["dead_letter", "dead_letter_event", "replay", "replay_letter"],
        Place::LakeSnapshots => vec!["lake.ducklake_"],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_has_a_class_or_a_reason() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let sql = "select case when n.nspname = 'lake' then 'lake.' else '' end || c.relname as name
               from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where n.nspname in (current_schema(), 'lake') and c.relkind in ('r', 'p') and not c.relispartition";
    let rows = rig.db.query(sql, &[]).await.expect("tables");
    let stored: BTreeSet<String> = rows
        .iter()
        .map(|row| row.get::<_, String>("name"))
        .map(|name| if name.starts_with("lake.ducklake_") { "lake.ducklake_".to_owned() } else { name })
        .collect();
    let classed = RETENTION_CLASSES.iter().flat_map(|class| class.places).flat_map(tables);
    let known: BTreeSet<String> =
        classed.chain(WITHOUT.iter().map(|(table, _)| *table)).map(str::to_owned).collect();
    let forgotten: Vec<&String> = stored.difference(&known).collect();
    assert!(
        forgotten.is_empty(),
        "{forgotten:?}: give each a class in store/retention/class.rs, or a reason here"
    );
    let gone: Vec<&String> = known.difference(&stored).collect();
    assert!(gone.is_empty(), "{gone:?} are no tables");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn games_and_channels_leave_that_no_stored_stream_names_and_no_others() {
    let rig = rig().await;
    succeeded(&rig, 500).await;
    succeeded(&rig, 0).await;
    let under_way = merged(&rig, 0).await.pull_id;
    let fill = format!(
        "insert into twitch_channel
         select id, 'ours', '', '', '', 0, '', '', null, now() - make_interval(days => days), 1
         from (values ('named', 900), ('waits', 900), ('nobodys', 900), ('later', 450), ('young', 399)) c (id, days);
         insert into twitch_game
         select id, 'ours', '', '', now() - make_interval(days => days), 1
         from (values ('named', 900), ('waits', 900), ('nobodys', 900), ('later', 450), ('young', 399)) g (id, days);
         update pull_data set channel_id = 'named', game_id = 'named'
         where (pull_id, stream_id) = (select pull_id, stream_id from pull_data order by pulled_at desc limit 1);
         update pull_chunk set merged_at = null, channel_ids = channel_ids || '{{waits}}', game_ids = game_ids || '{{waits}}'
         where pull_id = {under_way}"
    );
    rig.db.batch_execute(&fill).await.expect("games and channels");
    let left = async || {
        let sql =
            "select array(select channel_id from twitch_channel where login = 'ours' order by 1) as channels,
                          array(select game_id from twitch_game where name = 'ours' order by 1) as games";
        let row = rig.db.query_one(sql, &[]).await.expect("ids");
        let (channels, games): (Vec<String>, Vec<String>) = (row.get("channels"), row.get("games"));
        assert_eq!(channels, games);
        channels
    };
    let (_, shown, err) = operator(&rig, "retention show --json").await;
    let lines = shown.lines().map(|line| serde_json::from_str::<Value>(line).expect(&err));
    let shown = lines.into_iter().find(|class| class["class"] == "catalogue").expect("a class");
    assert_eq!((&shown["rows"], &shown["due"]["rows"]), (&json!(10), &json!(2)), "{shown}");

    // What was asked for since the oldest streams stays with them.
    assert_eq!(of(&apply(&rig).await, "catalogue").rows, 2);
    assert_eq!(left().await, ["later", "named", "waits", "young"]);
    keep_rows_for(&rig, 90).await;
    assert_eq!(of(&apply(&rig).await, "catalogue").rows, 2);
    assert_eq!(left().await, ["named", "waits", "young"]);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_of_retention_and_requests_to_the_exporter_leave_with_the_history() {
    let rig = rig().await;
    let fill = "
        insert into retention_run (by, started_at)
            select 'test', now() - make_interval(days => days) from unnest(array[1, 366]) days;
        insert into lake.request (action, requested_by, requested_at, finished_at)
            values ('verify', 'ada', now() - interval '366 days', now()), ('verify', 'ada', now(), now()),
                   ('verify', 'ada', now() - interval '366 days', null)";
    rig.db.batch_execute(fill).await.expect("rows");
    assert_eq!(of(&apply(&rig).await, "history").rows, 2);
    let left = "select (select count(*) from retention_run) as runs, (select count(*) from lake.request) as requests";
    let left = rig.db.query_one(left, &[]).await.expect("counts");
    assert_eq!((left.get::<_, i64>("runs"), left.get::<_, i64>("requests")), (2, 2));
    rig.end(&[]).await;
}
