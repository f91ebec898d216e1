//! How much each stage has done, minute by minute, from the times on the chunks.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Error, Store, column::Columns};

/// The most pulls whose chunks are counted.
const MOST_PULLS: i64 = 50;

/// Chunks that a stage was done with within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StageMinute {
    /// The stage's place in the flow, from 0.
    pub stage: usize,
    /// The beginning of the minute.
    pub minute: DateTime<Utc>,
    /// How many chunks.
    pub chunks: i64,
}

impl Store {
    /// What each stage did per minute since a time; of the newest pulls that were under way then or later.
    pub async fn stage_minutes(&self, since: DateTime<Utc>) -> Result<Vec<StageMinute>, Error> {
        let pulls = "/* flow_rate::stage_minutes, pulls */
            select array_agg(id) as ids, array_agg(started_at) as times
            from (select id, started_at from (select id, started_at, completed_at from pull order by id desc limit $2) newest
                  where completed_at is null or completed_at >= $1) recent";
        let minutes = "/* flow_rate::stage_minutes, chunks */
            select stage, date_trunc('minute', done_at) as minute, count(*) as chunks
            from pull_chunk,
                 unnest(array[stored_at, games_at, channels_at, merged_at]) with ordinality done (done_at, stage)
            where pull_id = any($1) and pulled_at = any($2) and done_at >= $3 group by 1, 2 order by 1, 2";
        let client = self.client().await?;
        let row = client.query_one(&client.prepare_cached(pulls).await?, &[&since, &MOST_PULLS]).await?;
        let (ids, times): (Option<Vec<i64>>, Option<Vec<DateTime<Utc>>>) =
            (row.column("ids")?, row.column("times")?);
        let (Some(ids), Some(times)) = (ids, times) else { return Ok(Vec::new()) };
        let statement = client.prepare_cached(minutes).await?;
        let rows = client.query(&statement, &[&ids, &times, &since]).await?;
        rows.iter()
            .map(|row| {
                let place = usize::try_from(row.column::<i64>("stage")? - 1).unwrap_or_default();
                Ok(StageMinute { stage: place, minute: row.column("minute")?, chunks: row.column("chunks")? })
            })
            .collect()
    }
}
