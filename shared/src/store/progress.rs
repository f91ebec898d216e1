//! How the flow moves, in a few numbers for those who watch it.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Error, Store, column::Columns};

/// How far back pulls are looked for that the lake lacks: as long as the exporter's queue keeps a message, and a day.
const LAKE_LOOK_BACK: TimeDelta = TimeDelta::days(8);

/// How the flow moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Streams of the newest pull that succeeded, and when it was completed.
    pub last_success: Option<(i32, DateTime<Utc>)>,
    /// Slot and start of the newest scheduled pull.
    pub last_slot: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Since when the oldest pull waits for its first page, and the oldest chunk for its games, for its channels, and to be merged.
    pub waiting: [Option<DateTime<Utc>>; 4],
}

impl Store {
    /// How the flow moves, over pulls under way and two index lookups.
    pub async fn progress(&self) -> Result<Progress, Error> {
        let pulls = "/* progress::pulls */
            select s.stored, s.completed_at, l.slot, l.started_at, open.ids, open.times, open.oldest
            from (select array_agg(id) as ids, array_agg(started_at) as times,
                         min(started_at) filter (where pages = 0) as oldest
                  from pull where status not in ('success', 'failed')) open
            left join lateral
                (select stored, completed_at from pull where status = 'success' order by id desc limit 1) s on true
            left join lateral
                (select slot, started_at from pull where slot is not null order by slot desc limit 1) l on true";
        let chunks = "/* progress::chunks */
            select min(stored_at) filter (where games_at is null) as games,
                   min(games_at) filter (where channels_at is null) as channels,
                   min(channels_at) as merge
            from pull_chunk where pull_id = any($1) and pulled_at = any($2) and merged_at is null";
        let client = self.client().await?;
        let row = client.query_one(&client.prepare_cached(pulls).await?, &[]).await?;
        let (ids, times): (Option<Vec<i64>>, Option<Vec<DateTime<Utc>>>) =
            (row.column("ids")?, row.column("times")?);
        let mut waiting = [row.column("oldest")?, None, None, None];
        if let (Some(ids), Some(times)) = (ids, times) {
            let row = client.query_one(&client.prepare_cached(chunks).await?, &[&ids, &times]).await?;
            let chunks = [row.column("games")?, row.column("channels")?, row.column("merge")?];
            waiting[1..].copy_from_slice(&chunks);
        }
        Ok(Progress {
            last_success: row.column::<Option<i32>>("stored")?.zip(row.column("completed_at")?),
            last_slot: row.column::<Option<_>>("slot")?.zip(row.column("started_at")?),
            waiting,
        })
    }

    /// Since when the oldest pull of the last eight days waits for the exporter; none where no pull waits, or where there is no lake.
    pub async fn oldest_unexported(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
        let sql = "/* progress::oldest_unexported */
            select min(completed_at) as since from pull p
            where started_at >= $1 and status = 'success' and exists (select from lake.export) and not exists (
                select from lake.export e where e.pull_id = p.id and e.completed_at = p.completed_at)";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        client.query_one(&statement, &[&(now - LAKE_LOOK_BACK)]).await?.column("since")
    }

    /// Since when the message of each stage fails that has been retried the longest; stages that retry none are left out.
    pub async fn oldest_retries(&self) -> Result<Vec<(String, DateTime<Utc>)>, Error> {
        let sql = "/* progress::oldest_retries */
            select stage, min(first_failed_at) as since from stage_retry group by stage";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[]).await?;
        rows.iter().map(|row| Ok((row.column("stage")?, row.column("since")?))).collect()
    }
}
