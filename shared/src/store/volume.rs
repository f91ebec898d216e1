//! Whole pulls with far fewer streams than usual at their hour.

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Row;

use super::{Error, Store, column::Columns};
use crate::schema::PullId;

/// The share of the usual streams at which a pull is told of: 40 % fewer.
const DROPPED: f64 = 0.6;
/// With fewer pulls to compare with, nothing is usual.
const FEWEST: usize = 3;
/// A drop that was told of is not told of again for so long: volumes waver about the limit.
const QUIET: TimeDelta = TimeDelta::hours(24);

/// A whole pull, and what it is compared with.
#[derive(Debug, Clone)]
struct Volume {
    pull_id: i64,
    started_at: DateTime<Utc>,
    /// Its streams.
    stored: i32,
    /// Streams of the whole pulls within half an hour of its time of day on the seven days before it.
    usual: Vec<i32>,
    /// Streams of the whole pull before it, within three hours.
    before: Option<i32>,
    /// When the latest pull before it was started that was told of.
    told: Option<DateTime<Utc>>,
}

impl Volume {
    /// What is usual, if this pull is far below it, and is the first of those in a row.
    fn dropped_from(&mut self) -> Option<i32> {
        if self.usual.len() < FEWEST {
            return None;
        }
        let middle = self.usual.len() / 2;
        let (_, median, _) = self.usual.select_nth_unstable(middle);
        let limit = DROPPED * f64::from(*median);
        let is_far_below = |streams: i32| f64::from(streams) <= limit;
        (is_far_below(self.stored) && !self.before.is_some_and(is_far_below)).then_some(*median)
    }
}

/// The pulls to tell of, each with what is usual; of pulls in their order.
fn drops(volumes: impl IntoIterator<Item = Volume>) -> Vec<(Volume, i32)> {
    let mut told = None;
    let mut drops = Vec::new();
    for mut volume in volumes {
        let Some(usual) = volume.dropped_from() else { continue };
        told = told.max(volume.told);
        if told.is_none_or(|told| volume.started_at - told >= QUIET) {
            told = Some(volume.started_at);
            drops.push((volume, usual));
        }
    }
    drops
}

impl Store {
    /// Raises an alarm for each whole pull that has succeeded since a time with at least 40 % fewer streams than the
    /// median of the pulls within half an hour of its time of day on the seven days before it; the pull and the alarm's
    /// words. Of pulls in a row the first is told, and within a day one. Where fewer than three such pulls are known,
    /// nothing is usual. Of several callers at once, one raises each.
    pub async fn raise_volume_alarms(
        &self,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(PullId, String)>, Error> {
        let words = |(Volume { pull_id, stored, .. }, usual): (Volume, i32)| {
            let usual = format!("the median of this hour in the last seven days is {usual}");
            (pull_id, format!("pull {pull_id} has {stored} streams; {usual}"))
        };
        let dropped: (Vec<i64>, Vec<String>) =
            drops(self.volumes(since).await?).into_iter().map(words).unzip();
        if dropped.0.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "/* volume::raise */
            insert into alarm (at, queue, kind, pull_id, detail)
            select $1, 'pulls', 'volume', id, detail from unnest($2::bigint[], $3::text[]) d (id, detail)
            on conflict (pull_id) where kind = 'volume' do nothing
            returning pull_id, detail";
        let rows = self.client().await?.query(sql, &[&now, &dropped.0, &dropped.1]).await?;
        rows.iter().map(|row| Ok((PullId(row.column("pull_id")?), row.column("detail")?))).collect()
    }

    /// The whole pulls that have succeeded since a time.
    async fn volumes(&self, since: DateTime<Utc>) -> Result<Vec<Volume>, Error> {
        // No pull takes six hours: the index on started_at finds those that may have ended since.
        let sql = "/* volume::list */
            select p.id, p.started_at, p.stored, usual.stored as usual, before.stored as before, told.started_at as told
            from pull p
            cross join lateral (
                select coalesce(array_agg(o.stored), '{}') as stored
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
            left join lateral (
                select max(q.started_at) as started_at from alarm a join pull q on q.id = a.pull_id
                where a.kind = 'volume' and q.started_at < p.started_at) told on true
            where p.started_at >= $1::timestamptz - interval '6 hours' and p.completed_at >= $1
              and p.status = 'success' and p.whole
            order by p.started_at";
        self.client().await?.query(sql, &[&since]).await?.iter().map(volume).collect()
    }
}

fn volume(row: &Row) -> Result<Volume, Error> {
    Ok(Volume {
        pull_id: row.column("id")?,
        started_at: row.column("started_at")?,
        stored: row.column("stored")?,
        usual: row.column("usual")?,
        before: row.column("before")?,
        told: row.column("told")?,
    })
}

#[cfg(test)]
mod tests;
