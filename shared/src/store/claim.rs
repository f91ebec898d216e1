//! Table `helix_claim`: who is asking for what, so that replicas do not ask for the same id twice.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Error, Store};

/// How long a claim holds without being given up: longer than a call may take. Its worker's death ends it.
const CLAIM: Duration = Duration::from_mins(1);

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
    /// Claims ids to ask for; returns those nobody else is asking for right now.
    pub async fn claim(&self, kind: Kind, ids: &[&str], now: DateTime<Utc>) -> Result<Vec<String>, Error> {
        // In order, so that two who claim the same ids do not wait for each other in a circle.
        let sql = "/* claim::claim */
            insert into helix_claim (kind, id, expires_at)
            select $1, id, $3 from unnest($2::text[]) id order by id
            on conflict (kind, id) do update set expires_at = excluded.expires_at where helix_claim.expires_at < $4
            returning id";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        let expires = now + TimeDelta::from_std(CLAIM).unwrap_or_default();
        let rows = client.query(&statement, &[&kind.as_str(), &ids, &expires, &now]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Gives claims up, so that somebody else may ask.
    pub async fn release(&self, kind: Kind, ids: &[&str]) -> Result<(), Error> {
        let sql = "/* claim::release */ delete from helix_claim where kind = $1 and id = any($2)";
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        client.execute(&statement, &[&kind.as_str(), &ids]).await?;
        Ok(())
    }

    /// Removes claims that have run out.
    pub async fn sweep_claims(&self, now: DateTime<Utc>) -> Result<u64, Error> {
        let sql = "/* claim::sweep */ delete from helix_claim where expires_at < $1";
        Ok(self.client().await?.execute(sql, &[&now]).await?)
    }
}
