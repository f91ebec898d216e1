//! Whole pulls with far fewer streams than usual at their hour.

use chrono::{DateTime, Utc};

use super::{Error, Store, column::Columns};
use crate::schema::PullId;

impl Store {
    /// Raises an alarm for each whole pull that has succeeded since a time with at least 40 % fewer streams than the median of
    /// the pulls within half an hour of its time of day on the seven days before it; the pull and the alarm's words. Of pulls in a
    /// row the first is told. Where fewer than three such pulls are known, nothing is usual. Of several callers at once, one
    /// raises each.
    pub async fn raise_volume_alarms(
        &self,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(PullId, String)>, Error> {
        // No pull takes six hours: the index on started_at finds those that may have ended since.
        let sql = "/* volume::raise */
            insert into alarm (at, queue, kind, pull_id, detail)
            select $2, 'pulls', 'volume', p.id,
                   format('pull %s has %s streams; the median of this hour in the last seven days is %s', p.id, p.stored,
                          round(usual.median))
            from pull p
            cross join lateral (
                select percentile_cont(0.5) within group (order by o.stored) as median, count(*) as pulls
                from generate_series(1, 7) day
                cross join lateral (
                    select stored from pull
                    where started_at between p.started_at - day * interval '1 day' - interval '30 minutes'
                                         and p.started_at - day * interval '1 day' + interval '30 minutes'
                      and status = 'success' and whole) o) usual
            left join lateral (
                select stored from pull
                where started_at < p.started_at and started_at > p.started_at - interval '3 hours'
                  and status = 'success' and whole
                order by started_at desc limit 1) before on true
            where p.started_at >= $1::timestamptz - interval '6 hours' and p.completed_at >= $1 and p.status = 'success' and p.whole
              and usual.pulls >= 3 and p.stored <= 0.6 * usual.median
              and (before.stored is null or before.stored > 0.6 * usual.median)
            on conflict (pull_id) where kind = 'volume' do nothing
            returning pull_id, detail";
        let rows = self.client().await?.query(sql, &[&since, &now]).await?;
        rows.iter().map(|row| Ok((PullId(row.column("pull_id")?), row.column("detail")?))).collect()
    }
}
