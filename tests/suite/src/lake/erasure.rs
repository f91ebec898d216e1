//! An erased channel is in no file of the lake, whoever names the file, and every sum keeps its value.

use std::{path::Path, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use exporter::Exporter;
use fake_twitch::{World, WorldConfig};
use serde_json::{Value, json};
use shared::{
    clock::Clock,
    scrub::Scrubber,
    store::{Error, Exported, LakeAction, PullFiles},
};

use super::{
    duckdb::python,
    export::assert_agree,
    facts::{files, rows},
};
use crate::{
    dead_letter_rig::owner,
    erasure::dump,
    rig::{Rig, Setup},
};

/// Two pulls of a day that is compacted, and one of the next, with the files of before the compaction and one that no catalogue
/// names still in storage; the id, login and display name of a channel of all of them, which others mention.
async fn lake_with_a_channel(folder: &Path) -> (Rig, Exporter, [String; 3]) {
    let begin: DateTime<Utc> = "2026-11-23T23:45:00Z".parse().expect("a time");
    let clock = Clock::manual(begin);
    let setup = Setup { clock: clock.clone(), ..Setup::default() };
    let mut rig = Rig::with(World::generate(WorldConfig::plain(60)), setup).await;
    rig.start_all();
    let exporter = rig.exporter(folder);
    let mut needles: Option<[String; 3]> = None;
    for _ in 0..3 {
        let pull = rig.whole_pull().await.pull_id;
        let known = needles.get_or_insert({
            let sql = "select d.channel_id, c.login, c.display_name from pull_data d join twitch_channel c using (channel_id)
                       order by viewer_count desc limit 1";
            let row = rig.db.query_one(sql, &[]).await.expect("a stream");
            ["channel_id", "login", "display_name"].map(|column| row.get(column))
        });
        let mention = "update pull_data set title = 'with ' || $2 || ' (' || $1 || ')', tags = array['a', $2]
                       where stream_id = (select max(stream_id) from pull_data where channel_id <> $1 and pull_id = $3) and pull_id = $3";
        rig.db.execute(mention, &[&known[0], &known[1], &pull.0]).await.expect("a mention");
        let closed = rig.store.closed(pull).await.expect("an answer").expect("closed");
        exporter.lake().export(&closed, clock.now()).await.expect("exported");
        clock.advance(TimeDelta::minutes(10));
    }
    rig.stop_all().await;
    exporter.lake().compact_closed_days(clock.now()).await.expect("compacted");
    let day = folder.join("hot/stream_peek/day=2026-11-23");
    let left = files(&day).into_iter().next().expect("a file of before the compaction");
    std::fs::copy(day.join(left), day.join("pull-77.parquet")).expect("an unnamed file");
    (rig, exporter, needles.expect("a channel"))
}

/// Everything in the files, as text.
fn content(folder: &Path) -> String {
    let table = |file: &str| file.trim_start_matches("hot/").split('/').next().expect("a table").to_owned();
    let all = files(folder).into_iter().map(|file| format!("{:?}", rows(folder, &file, &table(&file))));
    all.collect::<Vec<_>>().join("\n").to_lowercase()
}

/// Where one of the needles is found.
fn found(text: &str, needles: &[String; 3]) -> Option<String> {
    let mut lower = needles.iter().map(|needle| needle.to_lowercase());
    let at = lower.find_map(|needle| text.find(&needle))?;
    Some(text.chars().skip(at.saturating_sub(100)).take(200).collect())
}

/// What analyses are made of, of the newest snapshot's files.
async fn sums(rig: &Rig, folder: &Path) -> (i64, usize, usize) {
    let sql = "select path from lake.ducklake_data_file where table_id = 2 and end_snapshot is null";
    let paths = rig.db.query(sql, &[]).await.expect("paths");
    let rows: Vec<_> = paths.iter().flat_map(|path| rows(folder, path.get("path"), "stream_peek")).collect();
    let viewers = rows.iter().map(|row| match row[9] {
        shared::lake::Value::Int(viewers) => viewers,
        _ => 0,
    });
    let distinct = |place: usize| {
        let values: std::collections::BTreeSet<String> =
            rows.iter().map(|row| format!("{:?}", row[place])).collect();
        values.len()
    };
    (viewers.sum(), distinct(3), distinct(4))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_channel_is_in_no_file_of_the_lake_and_sums_stay() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut rig, exporter, needles) = lake_with_a_channel(folder.path()).await;
    let id = &needles[0];
    let (sums_before, files_before) = (sums(&rig, folder.path()).await, files(folder.path()));
    assert!(found(&content(folder.path()), &needles).is_some());

    // Nobody can reach the files: nothing is changed, and it is said what to do.
    // But for the numbers that sequences have given.
    let rows_of =
        |dump: String| dump.lines().filter(|line| !line.contains("setval")).collect::<Vec<_>>().join("\n");
    let before = rows_of(dump(&rig));
    let (code, out, err) = owner(&rig, &format!("erase --channel {id} --yes --timeout 1s")).await;
    assert!(code == 1 && err.contains("no exporter answers") && err.contains("--leave-lake"), "{out}{err}");
    // But for the event that it failed, too.
    rig.db.batch_execute("delete from event where stage = 'operator'").await.expect("no event");
    assert!(rows_of(dump(&rig)) == before, "nothing is changed, and no request is left");

    rig.start(exporter);
    let (code, counted, err) = owner(&rig, &format!("erase --channel {id} --dry-run --json")).await;
    assert_eq!(code, 0, "{counted}{err}");
    let counted: Value = serde_json::from_str(&counted).expect("JSON");
    // Three pulls, the day's file beside the two of before the compaction, and the copy: each with the mention.
    assert_eq!(
        (&counted["counts"]["lake/stream_peek"], &counted["counts"]["lake/channel"]),
        (&json!(2 * (3 + 2 + 1)), &json!(3 + 2)),
        "{counted}"
    );
    assert_eq!(files(folder.path()), files_before, "counting changes nothing");

    let (code, erased, err) = owner(&rig, &format!("erase --channel {id} --yes --by me --json")).await;
    assert_eq!(code, 0, "{erased}{err}");
    let erased: Value = serde_json::from_str(&erased).expect("JSON");
    assert_eq!((&erased["counts"], &erased["found"]), (&counted["counts"], &json!({})));
    assert_eq!(found(&content(folder.path()), &needles), None);
    assert_eq!(found(&dump(&rig), &needles), None, "also the catalogue, and what was asked of the exporter");
    assert_eq!(sums(&rig, folder.path()).await, sums_before);
    assert_eq!(
        files(folder.path()).len(),
        4 + 4,
        "the day's files and the pull's: nothing of before is left"
    );
    let asked: i64 = rig
        .db
        .query_one("select count(*) as n from lake.request where requested_by = 'me'", &[])
        .await
        .expect("a count")
        .get("n");
    assert_eq!(asked, 2, "that it was done stays");

    // The lake agrees with its catalogue, and with the database, where the channel has the same pseudonym.
    let lake = rig.exporter(folder.path()).lake().clone();
    let findings = lake.verify(rig.setup.clock.now()).await.expect("verified");
    assert!(findings.is_well(), "{findings:?}");
    if let Some(python) = python("an_erased_channel_is_in_no_file_of_the_lake_and_sums_stay").await {
        assert_agree(&rig, &python, folder.path()).await;
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_an_erasure_of_the_lake_is_cut_short_a_repetition_ends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (rig, exporter, needles) = lake_with_a_channel(folder.path()).await;
    let sums_before = sums(&rig, folder.path()).await;
    let (lake, now) = (exporter.lake().clone(), rig.setup.clock.now());
    let [id, login, name] = needles.clone();
    let scrubber = Arc::new(Scrubber::new(&id, [login, name], true).expect("random numbers"));
    for cut in 1..12_u64 {
        let (lake, scrubber) = (lake.clone(), Scrubber::clone(&scrubber));
        let task = tokio::spawn(async move { lake.erase(scrubber, now).await });
        tokio::time::sleep(Duration::from_millis(cut * 25)).await;
        task.abort();
        let _ = task.await;
        assert_eq!(sums(&rig, folder.path()).await.0, sums_before.0, "every row is there at every moment");
    }
    let left = lake.erase(Scrubber::clone(&scrubber), now).await.expect("erased");
    assert!(left.rows.is_empty(), "{left:?}");
    assert_eq!(found(&content(folder.path()), &needles), None);
    assert_eq!(sums(&rig, folder.path()).await, sums_before);
    let findings = lake.verify(now).await.expect("verified");
    let other = exporter::Findings { unknown: Vec::new(), ..findings };
    assert!(other.is_well(), "but for files without the channel that a later sweep removes: {other:?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_read_its_rows_before_an_erasure_begins_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(20))).await;
    rig.start_all();
    let pull = rig.whole_pull().await.pull_id;
    rig.stop_all().await;
    let (exporter, now) = (rig.exporter(folder.path()), rig.setup.clock.now());
    exporter.lake().open(now).await.expect("an empty lake");
    let closed = rig.store.closed(pull).await.expect("an answer").expect("closed");
    let read = PullFiles {
        last_erasure: rig.store.before_export(&[]).await.expect("none").0,
        ..PullFiles::default()
    };
    rig.store.request_lake(LakeAction::Erase, &json!({}), "me", now).await.expect("asked");
    let refused = rig.store.commit_export(&closed, now.date_naive(), &read, &[], now).await;
    assert!(matches!(refused, Err(Error::LakeMoved)), "{refused:?}");
    assert_eq!(exporter.lake().export(&closed, now).await.expect("exported"), Some(Exported::Now));
    rig.end(&[]).await;
}
