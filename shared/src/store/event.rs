//! Table `event`: warnings and errors of all programs.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Row;

use super::{Error, Store, column::Columns};
use crate::event::Event;

/// Which events are meant.
#[derive(Debug, Clone, Copy)]
pub struct EventFilter {
    /// Last seen at this time or after it.
    pub since: DateTime<Utc>,
    /// Only errors, no warnings.
    pub errors_only: bool,
    /// About this pull.
    pub pull_id: Option<i64>,
    /// The newest of them, at most so many.
    pub limit: i64,
}

/// An event of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRow {
    /// Equal for events of one cause, on every day.
    pub fingerprint: String,
    /// `WARN` or `ERROR`.
    pub level: String,
    /// The program.
    pub stage: String,
    /// The failure's code, where there is one.
    pub code: Option<String>,
    /// The pull it is about.
    pub pull_id: Option<i64>,
    /// The latest chunk it was about.
    pub chunk: Option<i32>,
    /// Its latest words.
    pub message: String,
    /// The latest trace it was part of.
    pub trace: Option<String>,
    /// The latest build that told it.
    pub build: String,
    /// The latest host.
    pub host: String,
    /// How often it was seen on its day.
    pub count: i64,
    /// When it was seen first on its day.
    pub first_at: DateTime<Utc>,
    /// When it was seen last.
    pub last_at: DateTime<Utc>,
}

impl Store {
    /// Adds events to those of their day, which is the one on which they were first seen.
    pub(super) async fn add_events(&self, events: &[Event]) -> Result<(), Error> {
        // In order, so that two programs that add the same events do not wait for each other in a circle.
        let sql = "/* event::add */
            insert into event (day, fingerprint, level, stage, code, pull_id, chunk, message, trace, build, host, count,
                               first_at, last_at)
            select (first_at at time zone 'UTC')::date, fingerprint, level, stage, code, pull_id, chunk, message, trace,
                   build, host, count, first_at, last_at
            from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::int[], $7::text[], $8::text[],
                        $9::text[], $10::text[], $11::bigint[], $12::timestamptz[], $13::timestamptz[])
                e (fingerprint, level, stage, code, pull_id, chunk, message, trace, build, host, count, first_at, last_at)
            order by 1, 2
            on conflict (day, fingerprint) do update
            set count = event.count + excluded.count, chunk = excluded.chunk, message = excluded.message,
                trace = excluded.trace, build = excluded.build, host = excluded.host,
                first_at = least(event.first_at, excluded.first_at), last_at = greatest(event.last_at, excluded.last_at)";
        let texts = |of: fn(&Event) -> &str| events.iter().map(of).collect::<Vec<_>>();
        let options = |of: fn(&Event) -> Option<&str>| events.iter().map(of).collect::<Vec<_>>();
        let counts: Vec<i64> =
            events.iter().map(|event| i64::try_from(event.count).unwrap_or(i64::MAX)).collect();
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        client
            .execute(
                &statement,
                &[
                    &texts(|event| &event.fingerprint),
                    &texts(|event| event.level),
                    &texts(|event| &event.stage),
                    &options(|event| event.code.as_deref()),
                    &events.iter().map(|event| event.pull_id).collect::<Vec<_>>(),
                    &events.iter().map(|event| event.chunk).collect::<Vec<_>>(),
                    &texts(|event| &event.message),
                    &options(|event| event.trace.as_deref()),
                    &texts(|event| event.build),
                    &texts(|event| &event.host),
                    &counts,
                    &events.iter().map(|event| event.first_at).collect::<Vec<_>>(),
                    &events.iter().map(|event| event.last_at).collect::<Vec<_>>(),
                ],
            )
            .await?;
        Ok(())
    }

    /// The newest events that are meant; of those the one last seen comes last.
    pub async fn events(&self, filter: EventFilter) -> Result<Vec<EventRow>, Error> {
        // A day's events may be seen again on the next day: what is kept of a minute past midnight is on the day before.
        let sql = "/* event::list */
            select * from (
                select fingerprint, level, stage, code, pull_id, chunk, message, trace, build, host, count, first_at, last_at
                from event
                where day >= ($1::timestamptz at time zone 'UTC')::date - 1 and last_at >= $1
                  and (not $2 or level = 'ERROR') and ($3::bigint is null or pull_id = $3)
                order by last_at desc, fingerprint limit $4) newest
            order by last_at, fingerprint";
        let EventFilter { since, errors_only, pull_id, limit } = filter;
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await?;
        client.query(&statement, &[&since, &errors_only, &pull_id, &limit]).await?.iter().map(event).collect()
    }
}

fn event(row: &Row) -> Result<EventRow, Error> {
    Ok(EventRow {
        fingerprint: row.column("fingerprint")?,
        level: row.column("level")?,
        stage: row.column("stage")?,
        code: row.column("code")?,
        pull_id: row.column("pull_id")?,
        chunk: row.column("chunk")?,
        message: row.column("message")?,
        trace: row.column("trace")?,
        build: row.column("build")?,
        host: row.column("host")?,
        count: row.column("count")?,
        first_at: row.column("first_at")?,
        last_at: row.column("last_at")?,
    })
}
