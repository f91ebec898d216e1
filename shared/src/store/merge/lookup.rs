//! What is known of the games and channels of streams, one query a table.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use deadpool_postgres::Transaction;

use super::row::{Channel, Game, Page, records, written};
use crate::store::{Error, column::Columns};

/// The games of these streams that are known, by id.
pub(super) async fn games(
    transaction: &Transaction<'_>,
    pages: &[Page],
) -> Result<HashMap<String, Game>, Error> {
    let sql = "/* merge::games */
        select g.* from unnest($1::text[]) id
        cross join lateral (
            select game_id, name, box_art_url, igdb_id from twitch_game where game_id = id limit 1) g";
    let ids: BTreeSet<&str> =
        records(pages).filter_map(|record| Some(record.game_id.as_ref()?.as_str())).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let statement = transaction.prepare_cached(sql).await?;
    let mut games = HashMap::with_capacity(ids.len());
    for row in transaction.query(&statement, &[&ids]).await? {
        let game = Game {
            id: row.column("game_id")?,
            name: row.column("name")?,
            box_art_url: row.column("box_art_url")?,
            igdb_id: row.column("igdb_id")?,
        };
        games.insert(game.id.clone(), game);
    }
    Ok(games)
}

/// The channels of these streams that are known, by id.
pub(super) async fn channels(
    transaction: &Transaction<'_>,
    pages: &[Page],
) -> Result<HashMap<String, Channel>, Error> {
    let sql = "/* merge::channels */
        select c.* from unnest($1::text[]) id
        cross join lateral (
            select channel_id, login, display_name, profile_image_url, offline_image_url, view_count, broadcaster_type,
                   description, created_at
            from twitch_channel where channel_id = id limit 1) c";
    let ids: BTreeSet<&str> = records(pages).map(|record| record.user_id.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let statement = transaction.prepare_cached(sql).await?;
    let mut channels = HashMap::with_capacity(ids.len());
    for row in transaction.query(&statement, &[&ids]).await? {
        let channel = Channel {
            id: row.column("channel_id")?,
            login: row.column("login")?,
            display_name: row.column("display_name")?,
            profile_image_url: row.column("profile_image_url")?,
            offline_image_url: row.column("offline_image_url")?,
            view_count: row.column("view_count")?,
            broadcaster_type: row.column("broadcaster_type")?,
            description: row.column("description")?,
            created_at: row.column::<Option<DateTime<Utc>>>("created_at")?.map(written),
        };
        channels.insert(channel.id.clone(), channel);
    }
    Ok(channels)
}
