//! Table `helix_claim`: who is asking for what, so that replicas do not ask for the same id twice.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Error, Store, column::Columns};

/// How long a claim holds without being given up: longer than a call commonly takes, and as long as a worker's sudden
/// death may keep others waiting. A call that takes longer may be made twice.
const CLAIM: Duration = Duration::from_secs(20);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Games, at `/games`.
    Game,
    /// Channels, at `/users`.
    Channel,
}

impl Kind {
    /// The name used in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Game => "game",
            Self::Channel => "channel",
        }
    }
}

impl Store {
    /// Claims ids for `holder` to ask for; returns those nobody else is asking for right now. What it claimed before and
    /// did not come to ask for is no hindrance, so a holder has to ask for one batch after another.
    pub async fn claim(
        &self,
        kind: Kind,
        ids: &[&str],
        holder: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, Error> {
        // In order, so that two who claim the same ids do not wait for each other in a circle.
        let sql = "/* claim::claim */
            insert into helix_claim as c (kind, id, expires_at, holder)
            select $1, id, $3, $5 from unnest($2::text[]) id order by id
            on conflict (kind, id) do update set expires_at = excluded.expires_at, holder = excluded.holder
            where c.expires_at < $4 or c.holder = $5
            returning id";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let expires = now + TimeDelta::from_std(CLAIM).unwrap_or_default();
        let rows = client.query(&statement, &[&kind.as_str(), &ids, &expires, &now, &holder]).await?;
        rows.iter().map(|row| row.column("id")).collect()
    }

    /// Gives claims up, so that somebody else may ask.
    pub async fn release(&self, kind: Kind, ids: &[&str], holder: &str) -> Result<(), Error> {
        let sql = "/* claim::release */
            with mine as (
                select kind, id from helix_claim where kind = $1 and id = any($2) and holder = $3 order by id for update)
            delete from helix_claim c using mine where c.kind = mine.kind and c.id = mine.id";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, &[&kind.as_str(), &ids, &holder]).await?;
        Ok(())
    }

    /// Removes claims that have run out, but for those that somebody is just taking over.
    pub async fn sweep_claims(&self, now: DateTime<Utc>) -> Result<u64, Error> {
        let sql = "/* claim::sweep */
            with old as (select kind, id from helix_claim where expires_at < $1 for update skip locked)
            delete from helix_claim c using old where c.kind = old.kind and c.id = old.id";
        Ok(self.client().await?.execute(sql, &[&now]).await?)
    }
}
