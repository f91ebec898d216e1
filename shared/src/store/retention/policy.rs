//! Tables `retention` and `retention_run`: what was set, and what was done.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::types::Json;

use super::{
    super::{Error, Store, column::Columns},
    class::{RetentionClass, Ttl},
};

/// A run that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRun {
    /// Who made it.
    pub by: String,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

impl Store {
    /// The times to live that somebody has set, by class.
    pub async fn retention(&self) -> Result<HashMap<String, Ttl>, Error> {
        let sql = "/* policy::retention */ select class, ttl_seconds from retention";
        let rows = self.client().await?.query(sql, &[]).await?;
        rows.iter()
            .map(|row| Ok((row.column("class")?, Ttl::of_seconds(row.column("ttl_seconds")?))))
            .collect()
    }

    /// Sets how long a class is kept.
    pub async fn set_retention(
        &self,
        class: &RetentionClass,
        ttl: Ttl,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* policy::set */
            insert into retention (class, ttl_seconds, by, at) values ($1, $2, $3, $4)
            on conflict (class) do update
            set ttl_seconds = excluded.ttl_seconds, by = excluded.by, at = excluded.at";
        self.client().await?.execute(sql, &[&class.name, &ttl.seconds(), &by, &now]).await?;
        Ok(())
    }

    /// The run that ended last.
    pub async fn last_retention_run(&self) -> Result<Option<RetentionRun>, Error> {
        let sql = "/* policy::last_run */
            select by, ended_at from retention_run where ended_at is not null order by ended_at desc limit 1";
        let row = self.client().await?.query_opt(sql, &[]).await?;
        row.map(|row| Ok(RetentionRun { by: row.column("by")?, ended_at: row.column("ended_at")? }))
            .transpose()
    }

    /// Notes that a run begins; its number.
    pub async fn begin_retention_run(&self, by: &str, now: DateTime<Utc>) -> Result<i64, Error> {
        let sql =
            "/* policy::begin */ insert into retention_run (by, started_at) values ($1, $2) returning id";
        self.client().await?.query_one(sql, &[&by, &now]).await?.column("id")
    }

    /// Notes that a run has ended, and what it removed.
    pub async fn end_retention_run(
        &self,
        run: i64,
        removed: &(impl Serialize + std::fmt::Debug + Sync),
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* policy::end */ update retention_run set ended_at = $2, removed = $3 where id = $1";
        self.client().await?.execute(sql, &[&run, &now, &Json(removed)]).await?;
        Ok(())
    }
}
