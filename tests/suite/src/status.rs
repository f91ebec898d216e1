//! The database refuses what must not be: a status that moves backwards, a pull that does not add up.

use shared::schema::PullId;

use crate::rig::Rig;
use fake_twitch::{World, WorldConfig};

const STATUSES: [&str; 5] = ["pending", "filling-games", "filling-channels", "success", "failed"];

/// From, and where it may go. Back to `filling-games` a pull goes with the chunk of a rejected record that was let in.
const LEGAL: [(&str, &[&str]); 5] = [
    ("pending", &["filling-games", "failed"]),
    ("filling-games", &["filling-channels", "failed"]),
    ("filling-channels", &["success", "failed", "filling-games"]),
    ("success", &["filling-games"]),
    ("failed", &["pending", "filling-games", "filling-channels"]),
];

/// All that a finished or failed pull has to have, so that only the move itself is judged.
const COMPLETE: &str =
    "extracted_at = now(), completed_at = now(), stop_reason = 'end', error = 'test', games_added = 0,
    games_missing = 0, channels_filled = 0, channels_missing = 0";

/// A pull that is in this status, on a legal way.
async fn pull_in(rig: &Rig, status: &str) -> PullId {
    let pull = rig.store.request_pull("test", rig.setup.clock.now()).await.expect("a pull");
    let way: &[&str] = match status {
        "pending" => &[],
        "failed" => &["failed"],
        "filling-games" => &["filling-games"],
        "filling-channels" => &["filling-games", "filling-channels"],
        _ => &["filling-games", "filling-channels", "success"],
    };
    for step in way {
        go(rig, pull, step).await.expect("a legal move");
    }
    pull
}

async fn go(rig: &Rig, pull: PullId, status: &str) -> Result<u64, tokio_postgres::Error> {
    let sql = format!("update pull set status = $2, {COMPLETE} where id = $1");
    rig.db.execute(&sql, &[&pull.0, &status]).await
}

#[tokio::test]
async fn a_pull_moves_only_along_its_way() {
    let rig = Rig::new(World::generate(WorldConfig::plain(10))).await;
    for (from, legal) in LEGAL {
        for to in STATUSES.iter().filter(|to| **to != from) {
            // The path to a status may differ from the last step judged here, so each move has a pull of its own.
            let moved = go(&rig, pull_in(&rig, from).await, to).await;
            assert_eq!(moved.is_ok(), legal.contains(to), "{from} → {to}: {moved:?}");
        }
    }
    rig.end(&[]).await;
}

#[tokio::test]
async fn what_does_not_add_up_is_refused() {
    let rig = Rig::new(World::generate(WorldConfig::plain(10))).await;
    let pull = pull_in(&rig, "filling-channels").await;
    let refused = [
        ("fetched = 10, stored = 5, rejected = 3, duplicates = 1", "every_record_is_accounted_for"),
        ("chunks = 1", "one_chunk_a_page"),
        ("started_at = now() + interval '1 day'", "pull_started_at_stays"),
        ("status = 'failed', error = null", "a_failed_pull_says_why"),
        ("status = 'success', games_added = null", "a_finished_pull_is_complete"),
        ("status = 'success', channels_filled = 7", "a_finished_pull_is_complete"),
    ];
    for (change, rule) in refused {
        let error =
            rig.db.execute(&format!("update pull set {change} where id = $1"), &[&pull.0]).await.unwrap_err();
        let constraint = error.as_db_error().and_then(|error| error.constraint());
        assert_eq!(constraint, Some(rule), "{change}: {error}");
    }
    rig.end(&[]).await;
}

#[tokio::test]
async fn a_slot_has_one_pull() {
    let rig = Rig::new(World::generate(WorldConfig::plain(10))).await;
    let sql =
        "insert into pull (slot, requested_by, started_at) values ('2026-11-23T12:00:00Z', 'test', now())";
    rig.db.execute(sql, &[]).await.expect("the first");
    let error = rig.db.execute(sql, &[]).await.unwrap_err();
    assert_eq!(error.code(), Some(&tokio_postgres::error::SqlState::UNIQUE_VIOLATION));
    rig.end(&[]).await;
}
