//! What happened, in one line of time: from all the tables that remember it.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::{Error, Store, column::Columns};
use crate::schema::PullId;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When, by the clock of who noted it.
    pub at: DateTime<Utc>,
    /// `pull`, `missed-slot`, `worker`, `upgrade`, `pause`, `alarm`, `dead-letters`, `replay`, `rerun` or `order`.
    pub kind: String,
    /// Whether it is trouble.
    pub trouble: bool,
    /// The stage it happened to, where it is about one.
    pub stage: Option<String>,
    /// The pull, where it is about one.
    pub pull_id: Option<PullId>,
    /// The same in words.
    pub detail: String,
}

impl Store {
    /// What happened since a time, oldest first; the newest `limit` of it.
    pub async fn history(&self, since: DateTime<Utc>, limit: i64) -> Result<Vec<HistoryEntry>, Error> {
        let sql = "/* history::list */
            select * from (
                select started_at as at, 'pull' as kind, false as trouble, null as stage, id as pull_id,
                       'started for ' || case when slot is null then requested_by
                                              else 'the slot of ' || to_char(slot at time zone 'UTC', 'HH24:MI:SS') end as detail
                from pull where started_at >= $1
                union all
                select at, 'pull', event = 'failed', null, pull_id,
                       case event when 'success' then format('complete: %s streams, %s rejected', stored, rejected)
                                  when 'failed' then 'failed: ' || coalesce(error, '') else 'goes on' end
                from pull_history where at >= $1
                union all
                select slot, 'missed-slot', true, null, null, reason from missed_slot where slot >= $1
                union all
                select w.at, case when w.event in ('paused', 'resumed') then 'pause'
                                  when w.event = 'started' and before.build <> w.build then 'upgrade' else 'worker' end,
                       w.event in ('paused', 'vanished'), w.stage, null,
                       case when w.event = 'started' and before.build <> w.build
                                 then format('%s, was %s, on %s', w.build, before.build, w.host)
                            else format('%s on %s', w.event, w.host) || coalesce(': ' || w.reason, '') end
                from worker_history w
                left join lateral (
                    select build from worker_history b
                    where w.event = 'started' and b.event = 'started' and b.stage = w.stage and b.at < w.at
                    order by b.at desc limit 1) before on true
                where w.at >= $1
                union all
                select at, 'alarm', true, null, pull_id, format('%s (%s): %s', queue, kind, detail) from alarm where at >= $1
                union all
                select acknowledged_at, 'alarm', false, null, pull_id,
                       format('alarm %s acknowledged by %s', id, acknowledged_by) || coalesce(': ' || note, '')
                from alarm where acknowledged_at >= $1
                union all
                select min(e.at), 'dead-letters', true, d.stage, case when min(d.pull_id) = max(d.pull_id) then min(d.pull_id) end,
                       format('%s, %s: %s', count(*), d.code, min(d.message))
                from dead_letter_event e join dead_letter d on d.id = e.letter_id
                where e.at >= $1 and e.event = 'died'
                group by d.stage, d.code, date_trunc('minute', e.at)
                union all
                select requested_at, 'replay', false, target, null,
                       format('replay %s by %s: %s', id, requested_by, filter) || coalesce('; ' || ending, '')
                from replay where requested_at >= $1
                union all
                select at, 'rerun', false, from_stage, pull_id, format('by %s; it was %s', by, was_status)
                from pull_rerun where at >= $1
                union all
                select at, 'order', false, stage, pull_id,
                       format('%s by %s', action, by)
                       || coalesce(' until ' || to_char(until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'), '')
                       || coalesce(': ' || reason, '')
                from steering where at >= $1
                order by at desc, kind limit $2) newest
            order by at, kind";
        let client = self.client().await?;
        client.query(sql, &[&since, &limit]).await?.iter().map(entry).collect()
    }
}

fn entry(row: &Row) -> Result<HistoryEntry, Error> {
    Ok(HistoryEntry {
        at: row.column("at")?,
        kind: row.column("kind")?,
        trouble: row.column("trouble")?,
        stage: row.column("stage")?,
        pull_id: row.column::<Option<i64>>("pull_id")?.map(PullId),
        detail: row.column("detail")?,
    })
}
