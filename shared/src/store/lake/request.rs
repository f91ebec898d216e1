//! Table `lake.request`: what a person asks of the exporter.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::store::{Error, Store, column::Columns};

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LakeAction {
    /// Export pulls once more, or those that the lake has not.
    Export,
    /// Compact closed days.
    Compact,
    /// Compare the catalogue with storage.
    Verify,
    /// Expire snapshots, and remove what nothing names any more.
    Expire,
    /// Search the files for a channel, or take it out of them.
    Erase,
}

impl LakeAction {
    /// The name used in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Compact => "compact",
            Self::Verify => "verify",
            Self::Expire => "expire",
            Self::Erase => "erase",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Export, Self::Compact, Self::Verify, Self::Expire, Self::Erase]
            .into_iter()
            .find(|action| action.as_str() == name)
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct LakeRequest {
    /// Its number.
    pub id: i64,
    /// What is asked.
    pub action: LakeAction,
    /// About what.
    pub arguments: Value,
    /// Whether an exporter has begun with it.
    pub started: bool,
    /// What came of it; none as long as it is not done.
    pub outcome: Option<Result<Value, String>>,
}

const COLUMNS: &str = "id, action, arguments, started_at is not null as started, finished_at is not null as finished, coalesce(result, '{}') as result, error";

impl Store {
    /// Asks the exporter; the request's number.
    pub async fn request_lake(
        &self,
        action: LakeAction,
        arguments: &Value,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<i64, Error> {
        let sql = "/* lake::request */
            insert into lake.request (action, arguments, requested_by, requested_at) values ($1, $2, $3, $4) returning id";
        let client = self.client().await?;
        client.query_one(sql, &[&action.as_str(), arguments, &by, &now]).await?.column("id")
    }

    /// A request.
    pub async fn lake_request(&self, id: i64) -> Result<Option<LakeRequest>, Error> {
        let sql = format!("/* lake::request_state */ select {COLUMNS} from lake.request where id = $1");
        let client = self.client().await?;
        client.query_opt(&sql, &[&id]).await?.map(|row| read(&row)).transpose()
    }

    /// The oldest request that is not done, marked as begun.
    pub async fn next_lake_request(&self, now: DateTime<Utc>) -> Result<Option<LakeRequest>, Error> {
        let sql = format!(
            "/* lake::next_request */
            update lake.request set started_at = $1
            where id = (select min(id) from lake.request where finished_at is null) returning {COLUMNS}"
        );
        let client = self.client().await?;
        client.query_opt(&sql, &[&now]).await?.map(|row| read(&row)).transpose()
    }

    /// Takes a request back that no exporter has begun with. False where one has.
    pub async fn withdraw_lake_request(&self, id: i64) -> Result<bool, Error> {
        let sql =
            "/* lake::withdraw_request */ delete from lake.request where id = $1 and started_at is null";
        Ok(self.client().await?.execute(sql, &[&id]).await? > 0)
    }

    /// Forgets whose data the erasures that ended before `before` were about.
    pub async fn forget_lake_erasures(&self, before: DateTime<Utc>) -> Result<(), Error> {
        let sql = "/* lake::forget_erasures */
            update lake.request set arguments = '{}', result = '{}', error = null
            where action = 'erase' and finished_at <= $1 and result is distinct from '{}'";
        self.client().await?.execute(sql, &[&before]).await?;
        Ok(())
    }

    /// Notes what came of a request. What an erasure was about is forgotten.
    pub async fn finish_lake_request(
        &self,
        id: i64,
        outcome: &Result<Value, String>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* lake::finish_request */
            update lake.request set finished_at = $2, result = $3, error = $4,
                arguments = case when action = 'erase' then '{}' else arguments end
            where id = $1 and finished_at is null";
        let (result, error) = (outcome.as_ref().ok(), outcome.as_ref().err());
        self.client().await?.execute(sql, &[&id, &now, &result, &error]).await?;
        Ok(())
    }
}

fn read(row: &tokio_postgres::Row) -> Result<LakeRequest, Error> {
    let (finished, error): (bool, Option<String>) = (row.column("finished")?, row.column("error")?);
    let result: Value = row.column("result")?;
    Ok(LakeRequest {
        id: row.column("id")?,
        action: LakeAction::from_name(row.column("action")?).unwrap_or(LakeAction::Verify),
        arguments: row.column("arguments")?,
        started: row.column("started")?,
        outcome: finished.then(|| error.map_or(Ok(result), Err)),
    })
}
