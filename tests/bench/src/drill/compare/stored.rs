//! What a pull stored, in a form that can be compared between candidates.

use shared::schema::PullId;
use tokio_postgres::Client;

use crate::Outcome;

/// The rows of a pull as one hash, and how many games and channels are known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Of every column that says something about a stream, the document included, in the order of the streams.
    hash: String,
    rows: i64,
    games: i64,
    channels: i64,
    games_missing: i64,
    channels_missing: i64,
}

pub(crate) async fn stored(db: &Client, pull: PullId) -> Outcome<Stored> {
    let sql = r#"/* bench::stored */ select md5(string_agg(md5(jsonb_build_array(stream_id, channel_id, channel_login,
                    channel_name, game_id, game_name, viewer_count, language, started_at, type, title, tags, is_mature,
                    data)::text), '' order by stream_id collate "C")) as hash, count(*) as rows,
                    (select count(*) from twitch_game) as games, (select count(*) from twitch_channel) as channels,
                    (select count(*) from missing_game) as games_missing,
                    (select count(*) from missing_channel) as channels_missing
                 from pull_data where pull_id = $1"#;
    let row = db.query_one(sql, &[&pull.0]).await?;
    Ok(Stored {
        hash: row.try_get("hash")?,
        rows: row.try_get("rows")?,
        games: row.try_get("games")?,
        channels: row.try_get("channels")?,
        games_missing: row.try_get("games_missing")?,
        channels_missing: row.try_get("channels_missing")?,
    })
}

impl Stored {
    pub(crate) fn rows(&self) -> usize {
        usize::try_from(self.rows).unwrap_or_default()
    }

    /// Fails when somebody stored something else.
    pub(crate) fn must_equal(&self, other: &Self, who: &str) -> Outcome<()> {
        if self == other { Ok(()) } else { Err(format!("{who} stored {other:?}, and not {self:?}").into()) }
    }
}
