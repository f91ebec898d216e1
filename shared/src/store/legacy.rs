//! The tables of the NiFi flow, in a database of their own, and what this flow has in their place: read, never written.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{Error, Store, column::Columns};
use crate::schema::PullId;

/// The database of the NiFi flow: `pulls` (`id`, `pull_time`) and `pull_data` (`pull_id`, `data`), one row of it per page.
#[derive(Debug, Clone)]
pub struct LegacyStore(Store);

/// A pull of either flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowedPull<Id> {
    /// Its number; of the NiFi flow, as text.
    pub id: Id,
    /// The time it was meant for: its slot, or its start where a person asked for it.
    pub at: DateTime<Utc>,
}

impl LegacyStore {
    /// Connects when first used.
    pub fn new(url: &SecretString) -> Result<Self, Error> {
        Ok(Self(Store::new(url, 2, "operator shadow")?))
    }

    /// The pulls of a time, oldest first.
    pub async fn pulls(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<ShadowedPull<String>>, Error> {
        let sql = "/* legacy::pulls */
            select id::text as id, pull_time::timestamptz as at from pulls
            where pull_time::timestamptz between $1 and $2 order by pull_time, id";
        let rows = self.0.client().await?.query(sql, &[&from, &to]).await?;
        rows.iter().map(|row| Ok(ShadowedPull { id: row.column("id")?, at: row.column("at")? })).collect()
    }

    /// The pages of a pull, as they were written.
    pub async fn pages(&self, pull: &str) -> Result<Vec<String>, Error> {
        let sql = "/* legacy::pages */
            select data::text as data from pull_data
            where pull_id = (select id from pulls where id::text = $1) and data is not null";
        let rows = self.0.client().await?.query(sql, &[&pull]).await?;
        rows.iter().map(|row| row.column("data")).collect()
    }
}

impl Store {
    /// The newest pulls that have succeeded, at most `limit`, oldest first.
    pub async fn shadowing_pulls(&self, limit: i64) -> Result<Vec<ShadowedPull<PullId>>, Error> {
        let sql = "/* legacy::shadowing */
            select id, coalesce(slot, started_at) as at from pull where status = 'success' order by id desc limit $1";
        let rows = self.client().await?.query(sql, &[&limit]).await?;
        let pull = |row: &tokio_postgres::Row| {
            Ok(ShadowedPull { id: PullId(row.column("id")?), at: row.column("at")? })
        };
        rows.iter().rev().map(pull).collect()
    }

    /// The pages of a pull in the form of the NiFi flow.
    pub async fn legacy_pages(&self, pull: PullId) -> Result<Vec<String>, Error> {
        let sql = "/* legacy::our_pages */
            select data::text as data from legacy_pull_data where pull_id = $1 and pulled_at = $2 order by chunk";
        let started_at = self.pull_report(pull).await?.started_at;
        let rows = self.client().await?.query(sql, &[&pull.0, &started_at]).await?;
        rows.iter().map(|row| row.column("data")).collect()
    }

    /// The ids of streams whose records a pull has rejected, as far as they have one.
    pub async fn rejected_streams(&self, pull: PullId) -> Result<Vec<String>, Error> {
        let sql = "/* legacy::rejected */
            select raw->>'id' as id from rejected_record
            where pull_id = $1 and pulled_at = $2 and json_typeof(raw) = 'object' and raw->>'id' is not null";
        let started_at = self.pull_report(pull).await?.started_at;
        let rows = self.client().await?.query(sql, &[&pull.0, &started_at]).await?;
        rows.iter().map(|row| row.column("id")).collect()
    }
}

/// Pairs each pull of ours with that of the NiFi flow nearest to it in time, if one is near enough; then those of the NiFi flow
/// that are left over.
pub fn pair(
    ours: &[ShadowedPull<PullId>],
    legacy: &[ShadowedPull<String>],
    within: TimeDelta,
) -> (Vec<(PullId, Option<String>)>, Vec<String>) {
    let mut left: Vec<&ShadowedPull<String>> = legacy.iter().collect();
    let pairs = ours
        .iter()
        .map(|our| {
            let distance = |pull: &ShadowedPull<String>| (pull.at - our.at).abs();
            let nearest = (0..left.len()).min_by_key(|at| distance(left[*at]));
            let nearest = nearest.filter(|at| distance(left[*at]) <= within);
            (our.id, nearest.map(|at| left.remove(at).id.clone()))
        })
        .collect();
    (pairs, left.into_iter().map(|pull| pull.id.clone()).collect())
}
