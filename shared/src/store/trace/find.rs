//! Which pull is meant, and where a stream, channel or game was seen.

use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use crate::{
    schema::PullId,
    store::{Error, Kind, Store, column::Columns},
};

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
        let newest = "/* trace::newest_pull_with */
            select p.id
            from pull p
            cross join lateral (
                select from pull_data d
                where d.pull_id = p.id and d.pulled_at = p.started_at and d.pulled_at between $1 and $2
                  and d.stream_id = $3 limit 1) found
            where p.started_at between $1 and $2
            order by p.started_at desc limit 1";
        let client = self.client().await?;
        let statement = client.prepare_cached(newest).await?;
        for (first, last) in days(&client, at).await? {
            if let Some(row) = client.query_opt(&statement, &[&first, &last, &stream]).await? {
                return Ok(Some(PullId(row.column("id")?)));
            }
        }
        Ok(None)
    }

    /// The newest streams of a channel, or of a game, before a time, newest first.
    pub async fn sightings(
        &self,
        kind: Kind,
        id: &str,
        at: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<Sighting>, Error> {
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
        for (first, last) in days(&client, at).await? {
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

/// The days in UTC, up to a time, on which pulls were started, the newest first: the first and the last instant of each to look at. A
/// statement that names them reads, and locks, the partition of that day alone.
async fn days(
    client: &ClientWrapper,
    at: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>, Error> {
    // From each day's last pull to the last one before that day, by the index: pulls are many, days are few.
    let sql = "/* trace::days */
        with recursive day as (
            select max(started_at) as last from pull where started_at <= $1
            union all
            select (select max(p.started_at) from pull p
                    where p.started_at < date_trunc('day', day.last at time zone 'UTC') at time zone 'UTC')
            from day where day.last is not null)
        select date_trunc('day', last at time zone 'UTC') at time zone 'UTC' as first, last
        from day where last is not null order by last desc";
    let rows = client.query(sql, &[&at]).await?;
    rows.iter().map(|row| Ok((row.column("first")?, row.column("last")?))).collect()
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
