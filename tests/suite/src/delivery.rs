//! Every message delivered three times, to two replicas of every worker: the tables are those of a plain pull.

use fake_twitch::{World, WorldConfig};
use shared::schema::PullStatus;
use tokio_postgres::Client;

use crate::{
    rig::Rig,
    truth::assert_matches_world,
    wire::{Listener, Wire},
};

/// All that a pull leaves behind, table by table, in an order of its own.
///
/// Left out, because it differs between any two pulls of the same world: times (also when and where something was seen
/// or missed first), the pull's id, who fetched it, and how many calls it took, which depends on which chunks met in one
/// worker's hand. Cursors stay: they depend on the place in the list alone.
const TABLES: [(&str, &str); 7] = [
    ("pull", "select status, stop_reason, error, cursor, last_viewers, idle_pages, pages, fetched, stored, rejected, duplicates,
                     nul_replaced, chunks, games_added, games_missing, channels_filled, channels_missing, rescues
              from pull order by id"),
    ("pull_chunk", "select chunk, page, rejects, rejected_by_rule, game_ids, channel_ids, cursor, next_cursor, fetched, stored,
                           rejected, duplicates, games_missing, channels_filled, channels_missing, failed_stage, failure,
                           games_at is null, channels_at is null, merged_at is null
                    from pull_chunk order by chunk"),
    ("pull_data", "select stream_id, chunk, channel_id, channel_login, channel_name, game_id, game_name, viewer_count,
                          language, started_at, type, title, tags, is_mature, data
                   from pull_data order by stream_id"),
    ("twitch_game", "select game_id, name, box_art_url, igdb_id from twitch_game order by game_id"),
    ("twitch_channel", "select channel_id, login, display_name, profile_image_url, offline_image_url, view_count,
                               broadcaster_type, description, created_at
                        from twitch_channel order by channel_id"),
    ("missing_game", "select game_id, reason, times from missing_game order by game_id"),
    ("missing_channel", "select channel_id, reason, times from missing_channel order by channel_id"),
];

/// A hash and the number of rows of each table.
async fn digests(db: &Client) -> Vec<(&'static str, i64, String)> {
    let mut digests = Vec::new();
    for (table, rows) in TABLES {
        let sql = format!("select count(*), md5(coalesce(string_agg(r::text, e'\\n'), '')) from ({rows}) r");
        let row = db.query_one(&sql, &[]).await.expect("a digest");
        digests.push((table, row.get(0), row.get(1)));
    }
    digests
}

/// Everything a pull can hold but rejected records: their queue is told again about what is delivered again.
fn world() -> World {
    World::generate(WorldConfig {
        tail: 0,
        test_record: false,
        unknown_games: 3,
        banned: 0.02,
        ..WorldConfig::sized(700)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_deliveries_of_every_message_leave_the_tables_of_one() {
    let mut once = Rig::new(world()).await;
    once.start_all();
    once.whole_pull().await;

    let mut thrice = Rig::new(world()).await;
    let wire = Wire::connect(&thrice.vhost).await;
    wire.multiply(2).await;
    let listener = Listener::new(&thrice).await;
    thrice.start_all();
    thrice.start_all();
    let report = thrice.whole_pull().await;
    // Announcements multiply, too: 27 deliveries of each chunk at the last stage, each handled before it is over.
    thrice.stop_all().await;
    while wire.multiplies(2).await || !thrice.is_done().await {
        thrice.mop_up().await;
    }
    let first = listener.hears(report.pull_id, PullStatus::Success).await;
    assert_eq!(listener.hears(report.pull_id, PullStatus::Success).await, first, "the end is told again");

    assert_matches_world(&thrice.db, report.pull_id, thrice.twitch.world(), 10).await;
    let expected = digests(&once.db).await;
    assert!(expected.iter().all(|(_, rows, _)| *rows > 0), "every table should hold something: {expected:?}");
    assert_eq!(digests(&thrice.db).await, expected);
    once.end(&[]).await;
    thrice.end(&[]).await;
}
