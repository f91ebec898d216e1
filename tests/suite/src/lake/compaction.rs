//! Closed days become one file per table, and nobody who reads notices.

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use exporter::Exporter;
use fake_twitch::{World, WorldConfig};
use shared::{
    clock::Clock,
    dead_letter::DeadLetterStore,
    schema::{ChunkRef, PullId},
};

use super::{
    duckdb::{ask, python},
    export::assert_agree,
    facts::{files, rows},
};
use crate::{
    builders::dead_letter,
    dead_letter_rig::operator_json,
    rig::{Rig, Setup},
};

/// Pulls over a midnight, exported, without compaction: 12 before and 4 after it, ten minutes apart.
pub(super) async fn over_a_midnight(folder: &Path) -> (Rig, Exporter, Vec<PullId>) {
    let begin: DateTime<Utc> = "2026-11-23T22:00:00Z".parse().expect("a time");
    let clock = Clock::manual(begin);
    let setup = Setup { clock: clock.clone(), ..Setup::default() };
    let mut rig = Rig::with(World::generate(WorldConfig::plain(60)), setup).await;
    rig.start_all();
    let exporter = rig.exporter(folder);
    let lake = exporter.lake();
    let mut pulls = Vec::new();
    for _ in 0..16 {
        let pull = rig.whole_pull().await.pull_id;
        let closed = rig.store.closed(pull).await.expect("an answer").expect("closed");
        lake.export(&closed, clock.now()).await.expect("exported");
        pulls.push(pull);
        clock.advance(TimeDelta::minutes(10));
    }
    rig.stop_all().await;
    (rig, exporter, pulls)
}

async fn answers(rig: &Rig, python: &Path, folder: &Path, questions: &[&str]) -> Vec<serde_json::Value> {
    let (url, folder, python) = (rig.database.url_of("reader"), folder.to_owned(), python.to_owned());
    let questions: Vec<String> = questions.iter().map(|question| (*question).to_owned()).collect();
    let asked =
        move || ask(&python, &url, &folder, &questions.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(asked).await.expect("answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_day_becomes_one_file_per_table_and_every_answer_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let (rig, exporter, pulls) = over_a_midnight(folder.path()).await;
    let lake = exporter.lake();
    let python: Option<PathBuf> =
        python("a_closed_day_becomes_one_file_per_table_and_every_answer_stays").await;
    let before: i64 = rig
        .db
        .query_one("select max(snapshot_id) as newest from lake.ducklake_snapshot", &[])
        .await
        .expect("one")
        .get("newest");
    if let Some(python) = &python {
        assert_agree(&rig, python, folder.path()).await;
    }

    let now = rig.setup.clock.now();
    // One pull of the day that the lake has not as it is keeps the day as it is, and it is said which.
    let complete = "update pull set completed_at = completed_at + $2::text::interval where id = $1";
    rig.db.execute(complete, &[&pulls[3].0, &"1 s"]).await.expect("closed again");
    assert!(lake.compact_closed_days(now).await.expect("nothing to do").is_empty());
    let status = operator_json(&rig, "lake status").await;
    assert_eq!(status["waiting_days"], serde_json::json!([{ "day": "2026-11-23", "pulls": [pulls[3].0] }]));
    // Nobody waits for one that is not to be exported, because a person has discarded its dead letter.
    let chunk = ChunkRef { pull_id: pulls[3], pulled_at: now, chunk: 1 };
    rig.store.record(&dead_letter("exporter", chunk)).await.expect("a dead letter");
    let discard = "update dead_letter set state = 'discarded', state_at = 'infinity'";
    rig.db.execute(discard, &[]).await.expect("discarded");
    assert_eq!(operator_json(&rig, "lake status").await["waiting_days"], serde_json::json!([]));
    assert_eq!(rig.store.days_to_compact(now.date_naive()).await.expect("days").len(), 1);
    rig.db.batch_execute("delete from dead_letter_event; delete from dead_letter").await.expect("as it was");
    rig.db.execute(complete, &[&pulls[3].0, &"-1 s"]).await.expect("as it was");
    let done = lake.compact_closed_days(now).await.expect("compacted");
    assert_eq!(done.len(), 4);
    assert!(done.iter().all(|one| (one.before, one.after) == (12, 1)), "{done:?}");
    assert!(lake.compact_closed_days(now).await.expect("nothing to do").is_empty());
    let day = "stream_peek/day=2026-11-23/day-g1.parquet";
    let sorted = rows(folder.path(), day, "stream_peek");
    assert_eq!(sorted.len(), 12 * 60);
    let keys: Vec<_> = sorted.iter().map(|row| (row[4].clone(), row[1].clone())).collect();
    assert!(keys.is_sorted(), "by channel, then time");
    assert!(lake.verify(now).await.expect("verified").is_well());
    if let Some(python) = &python {
        assert_agree(&rig, python, folder.path()).await;
        let old =
            format!("select count(*), sum(viewer_count) from lake.stream_peek at (version => {before})");
        let now = "select count(*), sum(viewer_count) from lake.stream_peek";
        let plain = "select count(*) from read_parquet('$FOLDER/stream_peek/*/*.parquet', hive_partitioning = true) where day = '2026-11-23'";
        let found = answers(&rig, python, folder.path(), &[&old, now, plain]).await;
        assert_eq!(found[0], found[1], "a version from before the compaction still reads");
        assert_eq!(found[2], serde_json::json!([[12 * 60]]), "plain folders hold closed days");
    }

    // A pull of the compacted day is made again: its rows are replaced in the day's file.
    let pull = pulls[3];
    rig.db
        .execute("update pull_data set game_name = 'Another' where pull_id = $1", &[&pull.0])
        .await
        .expect("changed");
    rig.db
        .execute("update pull set completed_at = $2 where id = $1", &[&pull.0, &now])
        .await
        .expect("closed again");
    let closed = rig.store.closed(pull).await.expect("an answer").expect("closed");
    lake.export(&closed, now).await.expect("exported");
    let day = rows(folder.path(), "stream_peek/day=2026-11-23/day-g2.parquet", "stream_peek");
    let another = day.iter().filter(|row| row[8] == shared::lake::Value::Text("Another".into()));
    assert_eq!((day.len(), another.count()), (12 * 60, 60));
    if let Some(python) = &python {
        assert_agree(&rig, python, folder.path()).await;
    }

    // What only old snapshots have leaves the catalogue with them, and storage after the grace time.
    let grace = TimeDelta::days(1);
    let early = lake.tidy(grace, now).await.expect("tidied");
    assert_eq!((early.snapshots, early.removed), (0, 0), "everything is still to be read");
    let stored = files(folder.path()).len();
    let later = now + TimeDelta::days(8);
    let expired = lake.tidy(grace, later).await.expect("tidied");
    assert!(expired.snapshots > 16 && expired.unnamed == 4 * 12 + 4, "{expired:?}");
    assert_eq!(files(folder.path()).len(), stored, "the grace time goes on");
    let removed = lake.tidy(grace, later + TimeDelta::days(2)).await.expect("tidied");
    assert_eq!(removed.removed, 4 * 12 + 4, "{removed:?}");
    let left = files(folder.path());
    assert_eq!(left.len(), 4 + 4 * 4, "the day's files and those of the four pulls after midnight: {left:?}");
    if let Some(python) = &python {
        assert_agree(&rig, python, folder.path()).await;
    }
    rig.end(&[]).await;
}
