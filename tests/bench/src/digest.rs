//! What a pull left behind, as one hash a table: without times, ids of pulls and who did what when.

use std::collections::BTreeMap;

use shared::schema::PullId;
use tokio_postgres::Client;

use crate::outcome::Outcome;

/// A table, and its rows as they must be the same however the pull came about. `$1` is the pull.
const TABLES: [(&str, &str); 7] = [
    (
        "pull",
        "select jsonb_build_array(status, stop_reason, pages, fetched, stored, rejected, duplicates, nul_replaced, chunks,
                                  games_added, games_missing, channels_filled, channels_missing) as row
         from pull where id = $1",
    ),
    ("pull_data", "select to_jsonb(d) - '{pull_id,pulled_at}'::text[] as row from pull_data d where pull_id = $1"),
    (
        "pull_chunk",
        "select to_jsonb(c) - '{pull_id,pulled_at,stored_at,games_at,channels_at,merged_at,helix_calls}'::text[] as row
         from pull_chunk c where pull_id = $1",
    ),
    ("twitch_game", "select to_jsonb(g) - '{fetched_at}'::text[] as row from twitch_game g where first_pull_id = $1"),
    (
        "twitch_channel",
        "select to_jsonb(c) - '{fetched_at}'::text[] as row from twitch_channel c where first_pull_id = $1",
    ),
    // Where an id was seen last depends on which chunk asked, and how often it was asked for on who asked at once.
    ("missing_game", "select jsonb_build_array(game_id, reason) as row from missing_game where pull_id = $1"),
    (
        "missing_channel",
        "select jsonb_build_array(channel_id, reason) as row from missing_channel where pull_id = $1",
    ),
];

/// The hash of each table's rows, and how many there are.
pub(crate) type Digest = BTreeMap<&'static str, (String, i64)>;

/// What this pull left behind.
pub(crate) async fn digest(db: &Client, pull: PullId) -> Outcome<Digest> {
    let mut digest = Digest::new();
    for (table, rows) in TABLES {
        let sql = format!(
            "select coalesce(md5(string_agg(md5(row::text), '' order by md5(row::text))), '') as hash, count(*) as rows from ({rows}) rows"
        );
        let row = db.query_one(&sql, &[&pull.0]).await?;
        digest.insert(table, (row.get("hash"), row.get("rows")));
    }
    Ok(digest)
}

/// Fails where two digests differ, and says where.
pub(crate) fn same(wanted: &Digest, found: &Digest) -> Outcome<()> {
    let differing: Vec<String> = wanted
        .iter()
        .filter(|(table, rows)| found.get(*table) != Some(*rows))
        .map(|(table, rows)| format!("{table}: {rows:?} and {:?}", found.get(table)))
        .collect();
    if differing.is_empty() { Ok(()) } else { Err(format!("tables differ: {}", differing.join("; ")).into()) }
}
