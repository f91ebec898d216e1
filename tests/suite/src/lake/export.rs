//! A completed pull enters the lake: once, whole, and again when it is made again.

use fake_twitch::{World, WorldConfig};
use shared::{lake::Value, schema::PullId};

use super::{
    duckdb::{ask, python},
    facts::{files, rows},
};
use crate::{dead_letter_rig::operator_json, eventually::eventually, rig::Rig};

/// Waits until the lake has the pull as it is.
pub(super) async fn exported(rig: &Rig, pull: PullId) {
    let sql = "select count(*) from lake.export e join pull p on p.id = e.pull_id and p.completed_at = e.completed_at where p.id = $1";
    eventually(&format!("pull {pull} should be in the lake"), || async {
        let tables: i64 = rig.db.query_one(sql, &[&pull.0]).await.expect("a count").get(0);
        if tables == 4 { Ok(()) } else { Err(tables) }
    })
    .await;
}

/// What DuckDB says of the streams of each pull, and PostgreSQL.
const SUMS: &str = "select pull_id, count(*), sum(viewer_count), md5(string_agg(stream_id, ',' order by stream_id)) \
                    from lake.stream_peek group by 1 order by 1";
const OUR_SUMS: &str =
    "select coalesce(json_agg(json_build_array(pull_id, streams, viewers, keys) order by pull_id), '[]')
    from (select pull_id, count(*) as streams, sum(viewer_count)::text as viewers,
                 md5(string_agg(stream_id, ',' order by stream_id)) as keys
          from pull_data group by pull_id) p";

/// Shows that DuckDB and PostgreSQL agree; numbers may come as texts.
pub(super) async fn assert_agree(rig: &Rig, python: &std::path::Path, folder: &std::path::Path) {
    let ours: serde_json::Value = rig.db.query_one(OUR_SUMS, &[]).await.expect("sums").get(0);
    let (url, folder) = (rig.database.url_of("reader"), folder.to_owned());
    let python = python.to_owned();
    let theirs =
        tokio::task::spawn_blocking(move || ask(&python, &url, &folder, &[SUMS])).await.expect("answers");
    assert_eq!(plain(&theirs[0]), plain(&ours));
}

fn plain(value: &serde_json::Value) -> String {
    value.to_string().replace('"', "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completed_pull_enters_the_lake_and_a_rerun_replaces_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = WorldConfig { unknown_games: 2, banned: 0.02, tail: 50, ..WorldConfig::plain(250) };
    let mut rig = Rig::new(World::generate(world)).await;
    rig.start_all();
    rig.start_exporter(folder.path()).await;
    let pull = rig.whole_pull().await.pull_id;
    exported(&rig, pull).await;

    let found = files(folder.path());
    assert_eq!(found.len(), 4, "{found:?}");
    let streams = found.iter().find(|file| file.contains("/stream_peek/")).expect("a file of streams");
    assert!(
        streams.starts_with("hot/stream_peek/day=") && streams.ends_with(&format!("/pull-{pull}.parquet")),
        "{streams}"
    );
    let peeks = rows(folder.path(), streams, "stream_peek");
    assert_eq!(peeks.len(), 250);
    assert!(peeks.iter().all(|row| row[0] == Value::Int(pull.0)));
    let python = python("a_completed_pull_enters_the_lake_and_a_rerun_replaces_it").await;
    if let Some(python) = &python {
        assert_agree(&rig, python, folder.path()).await;
    }

    // Made again with another content: the new file takes the place of the old, which stays for older snapshots.
    rig.db.execute("update twitch_game set name = name || ' II'", &[]).await.expect("other names");
    operator_json(&rig, "rerun latest --from merge --yes").await;
    rig.succeeded(pull).await;
    exported(&rig, pull).await;
    let found = files(folder.path());
    assert!(found.iter().any(|file| file.contains("/game/") && file.ends_with("-g2.parquet")), "{found:?}");
    if let Some(python) = &python {
        assert_agree(&rig, python, folder.path()).await;
    }
    rig.end(&[("streams.rejected", 1)]).await;
}
