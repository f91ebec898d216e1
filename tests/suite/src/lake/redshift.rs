//! The load into Redshift, on a PostgreSQL that is taught what it lacks: it changes nothing the second time. No Redshift can be
//! reached here; what only Redshift can tell is not told.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use fake_twitch::{World, WorldConfig};
use shared::{
    lake::{Row, TABLES, Table, Value, redshift::Redshift},
    store::run_load,
};

use super::{
    export::exported,
    facts::{files, rows},
};
use crate::rig::Rig;

/// Redshift's DDL as PostgreSQL takes it: `super` is a domain, as is each `varchar`, whose bytes are counted as in Redshift, and
/// distribution and sorting are left out.
fn on_postgresql(ddl: &str) -> String {
    let kept = ddl.lines().filter(|line| !["diststyle", "distkey"].iter().any(|word| line.starts_with(word)));
    let lines = kept.map(|line| if line.starts_with("sortkey") { ";" } else { line });
    let mut ddl = lines.collect::<Vec<_>>().join("\n");
    let mut domains = "create domain super as jsonb;\n".to_owned();
    let widths = ddl.split("varchar(").skip(1).filter_map(|rest| rest.split(')').next());
    for width in widths.map(str::to_owned).collect::<BTreeSet<_>>() {
        writeln!(domains, "create domain bytes_{width} as text check (octet_length(value) <= {width});")
            .expect("a text");
        ddl = ddl.replace(&format!("varchar({width})"), &format!("bytes_{width}"));
    }
    domains + &ddl
}

/// The load with each COPY replaced by inserts of the rows in the files of its table.
fn with_rows(script: &str, folder: &Path) -> String {
    let mut out = String::new();
    let mut lines = script.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("copy ") {
            let stage = rest.split(' ').next().expect("a table");
            while lines.next().is_some_and(|line| !line.ends_with("serializetojson;")) {}
            let table = stage.trim_matches('"').strip_prefix("stage_").expect("a stage");
            for file in files(folder).iter().filter(|file| file.contains(&format!("/{table}/"))) {
                for row in rows(folder, file, table) {
                    writeln!(out, "insert into {stage} values ({});", values(&row)).expect("a text");
                }
            }
        } else {
            out += line;
            out.push('\n');
        }
    }
    out
}

fn values(row: &Row) -> String {
    let value = |value: &Value| match value {
        Value::Null => "null".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Time(time) => format!("'{}'", time.to_rfc3339()),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Texts(texts) => format!("'{}'", serde_json::json!(texts).to_string().replace('\'', "''")),
    };
    row.iter().map(value).collect::<Vec<_>>().join(", ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_brings_every_row_and_a_second_load_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    rig.start_all();
    rig.start_exporter(folder.path()).await;
    let pull = rig.whole_pull().await.pull_id;
    exported(&rig, pull).await;

    let redshift = Redshift { schema: "warehouse".into(), iam_role: "default".into() };
    rig.db.batch_execute(&on_postgresql(&redshift.ddl())).await.expect("tables");
    let manifests: Vec<(&Table, Vec<String>)> =
        TABLES.iter().map(|table| (table, vec![format!("s3://none/{}", table.name)])).collect();
    let script = with_rows(&redshift.load(&manifests).script(), folder.path());
    let sums = "select array[(select count(*) from warehouse.pull), (select count(*) from warehouse.stream_peek),
                      (select sum(viewer_count) from warehouse.stream_peek), (select count(*) from warehouse.game),
                      (select count(*) from warehouse.channel)]";
    let mut seen: Vec<Vec<i64>> = Vec::new();
    for _ in 0..2 {
        // By the simple protocol, as the operator does it.
        shared::store::run_script(&rig.database.url(), &script).await.expect("loaded");
        seen.push(rig.db.query_one(sums, &[]).await.expect("sums").get(0));
    }
    assert_eq!(seen[0], seen[1]);
    let ours = "select array[(select count(*) from pull), count(*), sum(viewer_count)] from pull_data";
    let ours: Vec<i64> = rig.db.query_one(ours, &[]).await.expect("sums").get(0);
    assert_eq!(seen[0][..3], ours);

    // The widest text that fits, and one more byte: refused, with all that the load would have brought.
    let widest = "🎮".repeat(1024 / 4);
    let name =
        "update pull_data set channel_name = $1 where stream_id = (select min(stream_id) from pull_data)";
    for (text, fits) in [(widest.clone(), true), (widest + "a", false)] {
        rig.db.execute(name, &[&text]).await.expect("renamed");
        rig.db
            .execute("update pull set completed_at = completed_at + interval '1 s'", &[])
            .await
            .expect("closed again");
        let closed = rig.store.closed(pull).await.expect("an answer").expect("closed");
        rig.announcer.announce(vec![shared::topology::EXPORTER.repeat(&closed)]).await.expect("announced");
        exported(&rig, pull).await;
        let newest = tempfile::tempdir().expect("a folder");
        let live = "select path from lake.ducklake_data_file where end_snapshot is null";
        for row in rig.db.query(live, &[]).await.expect("paths") {
            let path: String = row.get(0);
            let copy = newest.path().join(&path);
            std::fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
            std::fs::copy(folder.path().join(path), copy).expect("copied");
        }
        let script = with_rows(&redshift.load(&manifests).script(), newest.path());
        let loaded = shared::store::run_script(&rig.database.url(), &script).await;
        assert_eq!(loaded.is_ok(), fits, "{loaded:?}");
        let widest: Option<i32> = rig
            .db
            .query_one("select max(octet_length(channel_name)) from warehouse.stream_peek", &[])
            .await
            .expect("one")
            .get(0);
        assert_eq!(widest, Some(1024), "nothing is cut");
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_has_no_rows_any_longer_leaves_none_and_a_load_of_too_few_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(30))).await;
    rig.start_all();
    rig.start_exporter(folder.path()).await;
    let pull = rig.whole_pull().await.pull_id;
    exported(&rig, pull).await;
    let redshift = Redshift { schema: "warehouse".into(), iam_role: "default".into() };
    rig.db.batch_execute(&on_postgresql(&redshift.ddl())).await.expect("tables");
    let manifests: Vec<(&Table, Vec<String>)> =
        TABLES.iter().map(|table| (table, vec![format!("s3://none/{}", table.name)])).collect();
    let mut load = redshift.load(&manifests);
    load.stage = with_rows(&load.stage, folder.path());
    let day = rig.setup.clock.now().date_naive();
    let rows = rig.store.exported_rows(day).await.expect("rows");
    assert_eq!(rows.iter().find(|(table, _)| table == "stream_peek").map(|(_, rows)| *rows), Some(30));
    run_load(&rig.database.url(), &load, &rows).await.expect("loaded");
    let count =
        "select array[(select count(*) from warehouse.pull), (select count(*) from warehouse.stream_peek)]";
    let loaded: Vec<i64> = rig.db.query_one(count, &[]).await.expect("counts").get("array");
    assert_eq!(loaded, [1, 30]);

    // A file is missing from what was copied.
    load.stage.push_str("delete from \"stage_stream_peek\";\n");
    let refused = run_load(&rig.database.url(), &load, &rows).await.expect_err("too few").to_string();
    assert!(
        refused.contains("nothing was loaded") && refused.contains("0 rows for stream_peek"),
        "{refused}"
    );
    let loaded: Vec<i64> = rig.db.query_one(count, &[]).await.expect("counts").get("array");
    assert_eq!(loaded, [1, 30], "nothing is changed");

    // The pull was made again, and has no streams now.
    let none: Vec<(String, i64)> = rows
        .into_iter()
        .map(|(table, rows)| if table == "stream_peek" { (table, 0) } else { (table, rows) })
        .collect();
    run_load(&rig.database.url(), &load, &none).await.expect("loaded");
    let loaded: Vec<i64> = rig.db.query_one(count, &[]).await.expect("counts").get("array");
    assert_eq!(loaded, [1, 0]);
    rig.end(&[]).await;
}
