//! How the flow moves, in a few numbers for those who watch it.

use chrono::{DateTime, Utc};

use super::{Error, Store};

/// How the flow moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Streams of the newest pull that succeeded, and when it was completed.
    pub last_success: Option<(i32, DateTime<Utc>)>,
    /// Slot and start of the newest scheduled pull.
    pub last_slot: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Since when the oldest chunk waits for its games, for its channels, and to be merged.
    pub waiting: [Option<DateTime<Utc>>; 3],
}

impl Store {
    /// How the flow moves; one round trip, over pulls under way and two index lookups.
    pub async fn progress(&self) -> Result<Progress, Error> {
        let statement = "/* progress::progress */
            with chunk as materialized (
                select c.stored_at, c.games_at, c.channels_at, c.merged_at
                from pull p join pull_chunk c on c.pull_id = p.id and c.pulled_at = p.started_at
                where p.status in ('pending', 'filling-games', 'filling-channels') and c.merged_at is null)
            select
                (select min(stored_at) from chunk where games_at is null),
                (select min(games_at) from chunk where channels_at is null),
                (select min(channels_at) from chunk where games_at is not null),
                s.stored, s.completed_at, l.slot, l.started_at
            from (select) one
            left join lateral
                (select stored, completed_at from pull where status = 'success' order by id desc limit 1) s on true
            left join lateral
                (select slot, started_at from pull where slot is not null order by slot desc limit 1) l on true";
        let client = self.client().await?;
        let row = client.query_one(&client.prepare_cached(statement).await?, &[]).await?;
        let both = |a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>| a.zip(b);
        Ok(Progress {
            last_success: row.get::<_, Option<i32>>(3).zip(row.get(4)),
            last_slot: both(row.get(5), row.get(6)),
            waiting: [row.get(0), row.get(1), row.get(2)],
        })
    }
}
