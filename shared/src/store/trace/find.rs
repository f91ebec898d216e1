//! Which pull is meant, and where a stream, channel or game was seen.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use crate::{
    schema::PullId,
    store::{Error, Kind, Store, column::Columns},
};

/// Most pulls that are searched for a stream, the newest first: 30 days of one every ten minutes.
const MOST_PULLS: i64 = 4_320;

/// A stream in a pull.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Sighting {
    /// The pull.
    pub pull_id: PullId,
    /// When it was started.
    pub pulled_at: DateTime<Utc>,
    /// The stream.
    pub stream_id: String,
    /// The chunk.
    pub chunk: i32,
    /// Its channel.
    pub channel_login: String,
    /// Its game.
    pub game_name: String,
    /// Its viewers.
    pub viewer_count: i32,
    /// Its title.
    pub title: String,
}

impl Store {
    /// The pull that was the newest at a time, if there was one.
    pub async fn pull_at(&self, at: DateTime<Utc>) -> Result<Option<PullId>, Error> {
        let sql = "/* trace::pull_at */ select id from pull where started_at <= $1 order by started_at desc limit 1";
        let row = self.client().await?.query_opt(sql, &[&at]).await?;
        row.map(|row| row.column("id").map(PullId)).transpose()
    }

    /// The newest pull before a time that has this stream, as long as pulls are kept: each is looked up by its key, in its day.
    pub async fn newest_pull_with(&self, stream: &str, at: DateTime<Utc>) -> Result<Option<PullId>, Error> {
        let sql = "/* trace::newest_pull_with */
            select p.id
            from (select id, started_at from pull where started_at <= $1 order by started_at desc limit $2) p
            cross join lateral (
                select from pull_data d
                where d.pull_id = p.id and d.pulled_at = p.started_at and d.stream_id = $3 limit 1) found
            order by p.started_at desc limit 1";
        let row = self.client().await?.query_opt(sql, &[&at, &MOST_PULLS, &stream]).await?;
        row.map(|row| row.column("id").map(PullId)).transpose()
    }

    /// The newest streams of a channel, or of a game, before a time, newest first.
    pub async fn sightings(
        &self,
        kind: Kind,
        id: &str,
        at: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Sighting>, Error> {
        let days = "/* trace::sightings, days */
            select min(started_at) as first, max(started_at) as last from pull where started_at <= $1
            group by date_trunc('day', started_at at time zone 'UTC') order by first desc";
        let channel = "/* trace::sightings, channel */
            select pull_id, pulled_at, stream_id, chunk, channel_login, game_name, viewer_count, title
            from pull_data where channel_id = $1 and pulled_at between $2 and $3 order by pulled_at desc limit $4";
        let game = "/* trace::sightings, game */
            select pull_id, pulled_at, stream_id, chunk, channel_login, game_name, viewer_count, title
            from pull_data where game_id = $1 and pulled_at between $2 and $3 order by pulled_at desc limit $4";
        let sql = match kind {
            Kind::Channel => channel,
            Kind::Game => game,
        };
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let mut sightings = Vec::new();
        for day in client.query(days, &[&at]).await? {
            let (first, last): (DateTime<Utc>, DateTime<Utc>) = (day.column("first")?, day.column("last")?);
            let left = limit - i64::try_from(sightings.len()).unwrap_or(limit);
            if left <= 0 {
                break;
            }
            for row in client.query(&statement, &[&id, &first, &last, &left]).await? {
                sightings.push(sighting(&row)?);
            }
        }
        Ok(sightings)
    }
}

fn sighting(row: &Row) -> Result<Sighting, Error> {
    Ok(Sighting {
        pull_id: PullId(row.column("pull_id")?),
        pulled_at: row.column("pulled_at")?,
        stream_id: row.column("stream_id")?,
        chunk: row.column("chunk")?,
        channel_login: row.column("channel_login")?,
        game_name: row.column("game_name")?,
        viewer_count: row.column("viewer_count")?,
        title: row.column("title")?,
    })
}
