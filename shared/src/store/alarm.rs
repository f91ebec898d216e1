//! Table `alarm`: all alarms, whatever they are about, and who has seen them.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;

use super::{Error, Store, column::Columns};
use crate::schema::PullId;

/// An alarm, and who has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmRow {
    /// What a person calls it.
    pub id: i64,
    /// When it was raised.
    pub at: DateTime<Utc>,
    /// What it is about: a dead-letter queue, or `pulls`.
    pub subject: String,
    /// `first`, `age`, `growth` or `volume`.
    pub kind: String,
    /// The pull it is about, where it is about one.
    pub pull_id: Option<PullId>,
    /// The same in words.
    pub detail: String,
    /// When somebody said that they know.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Who.
    pub acknowledged_by: Option<String>,
    /// What they said of it.
    pub note: Option<String>,
}

impl Store {
    /// The newest alarms, newest first; without `all` those that nobody has acknowledged.
    pub async fn alarm_rows(&self, all: bool, limit: i64) -> Result<Vec<AlarmRow>, Error> {
        let sql = "/* alarm::rows */
            select id, at, queue, kind, pull_id, detail, acknowledged_at, acknowledged_by, note
            from alarm where $1 or acknowledged_at is null order by at desc, id desc limit $2";
        self.client().await?.query(sql, &[&all, &limit]).await?.iter().map(alarm).collect()
    }

    /// Acknowledges these alarms, or with `all` every one that is not; returns those that were not acknowledged before.
    pub async fn acknowledge_alarms(
        &self,
        ids: &[i64],
        all: bool,
        by: &str,
        note: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Vec<AlarmRow>, Error> {
        let sql = "/* alarm::acknowledge */
            update alarm set acknowledged_at = $3, acknowledged_by = $4, note = $5
            where ($2 or id = any($1)) and acknowledged_at is null
            returning id, at, queue, kind, pull_id, detail, acknowledged_at, acknowledged_by, note";
        let client = self.client().await?;
        client.query(sql, &[&ids, &all, &now, &by, &note]).await?.iter().map(alarm).collect()
    }
}

fn alarm(row: &Row) -> Result<AlarmRow, Error> {
    Ok(AlarmRow {
        id: row.column("id")?,
        at: row.column("at")?,
        subject: row.column("queue")?,
        kind: row.column("kind")?,
        pull_id: row.column::<Option<i64>>("pull_id")?.map(PullId),
        detail: row.column("detail")?,
        acknowledged_at: row.column("acknowledged_at")?,
        acknowledged_by: row.column("acknowledged_by")?,
        note: row.column("note")?,
    })
}
