//! Reading operations.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::super::{Error, Store, column::Columns};
use super::model::{AuditRow, COLUMNS, OperationRow, OperationStep, operation};

impl Store {
    /// An operation; none if there is no such number.
    pub async fn operation(&self, id: i64) -> Result<Option<OperationRow>, Error> {
        let sql = format!("/* operation::one */ select {COLUMNS} from operation o where id = $1");
        let row = self.client().await?.query_opt(&sql, &[&id]).await?;
        row.as_ref().map(operation).transpose()
    }

    /// The newest operations, before the one numbered `before` where that is given; at most `limit`.
    pub async fn operations(&self, before: Option<i64>, limit: i64) -> Result<Vec<OperationRow>, Error> {
        let sql = format!(
            "/* operation::list */ select {COLUMNS} from operation o where $1::bigint is null or id < $1 order by id desc limit $2"
        );
        let rows = self.client().await?.query(&sql, &[&before, &limit]).await?;
        rows.iter().map(operation).collect()
    }

    /// What was done for an operation, in order.
    pub async fn operation_steps(&self, id: i64) -> Result<Vec<OperationStep>, Error> {
        let sql =
            "/* operation::steps */ select at, step from operation_step where operation_id = $1 order by id";
        let rows = self.client().await?.query(sql, &[&id]).await?;
        rows.iter()
            .map(|row| Ok(OperationStep { at: row.column("at")?, step: row.column("step")? }))
            .collect()
    }

    /// Which of these operations are to be stopped.
    pub async fn stopping_operations(&self, ids: &[i64]) -> Result<Vec<i64>, Error> {
        let sql =
            "/* operation::stopping */ select id from operation where id = any($1) and state = 'stopping'";
        let rows = self.client().await?.query(sql, &[&ids]).await?;
        rows.iter().map(|row| row.column("id")).collect()
    }

    /// When the first of those that carry an operation out will have been silent for too long; none where nobody does.
    pub async fn first_silent_carrier(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let sql = "/* operation::first_silent */
            select min(carried_until) as first from operation where ended_at is null";
        self.client().await?.query_one(sql, &[]).await?.column("first")
    }

    /// The newest orders of people; at most `limit`.
    pub async fn audit(&self, limit: i64) -> Result<Vec<AuditRow>, Error> {
        let sql = "/* operation::audit */
            select at, by, place, action, detail, operation_id from audit order by at desc, operation_id desc limit $1";
        let rows = self.client().await?.query(sql, &[&limit]).await?;
        let order = |row: &Row| {
            Ok(AuditRow {
                at: row.column("at")?,
                by: row.column("by")?,
                place: row.column("place")?,
                action: row.column("action")?,
                detail: row.column("detail")?,
                operation_id: row.column("operation_id")?,
            })
        };
        rows.iter().map(order).collect()
    }
}
