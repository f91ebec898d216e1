//! What is known of an operation.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;

use super::super::{Error, column::Columns};

/// An operation as it is ordered.
#[derive(Debug, Clone)]
pub struct NewOperation<'a> {
    /// What kind it is of.
    pub kind: &'a str,
    /// What it is about, and how.
    pub arguments: &'a Value,
    /// The operator's command that does the same, without the program's name.
    pub command: &'a str,
    /// Who orders it.
    pub by: &'a str,
    /// `console` or `command line`.
    pub from: &'a str,
    /// How many dead letters matched when it was confirmed; none where it is about none.
    pub counted: Option<i64>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperationRow {
    /// Its number.
    pub id: i64,
    /// Its kind.
    pub kind: String,
    /// What it is about, and how.
    pub arguments: Value,
    /// The operator's command that does the same, without the program's name.
    pub command: String,
    /// Who has ordered it.
    pub requested_by: String,
    /// `console` or `command line`.
    pub requested_from: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// How many dead letters matched when it was confirmed; none where it is about none.
    pub counted: Option<i64>,
    /// `requested`, `running`, `stopping`, `done`, `stopped` or `failed`.
    pub state: String,
    /// Who has asked for it to be stopped.
    pub stop_by: Option<String>,
    /// When.
    pub stop_at: Option<DateTime<Utc>>,
    /// The process that carries it out, or did last.
    pub carried_by: Option<String>,
    /// When it was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What came of it, in words.
    pub outcome: Option<String>,
    /// Its replay, where it sends dead letters back and has begun.
    pub replay_id: Option<i64>,
}

/// Something that was done for an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperationStep {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub step: String,
}

/// An order for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// `console` or `command line`, where that is known.
    pub place: Option<String>,
    /// What was done.
    pub action: String,
    /// With what.
    pub detail: String,
    /// The operation that it is about.
    pub operation_id: Option<i64>,
}

pub(super) const COLUMNS: &str = "o.id, o.kind, o.arguments, o.command, o.requested_by, o.requested_from, o.requested_at, o.counted, o.state,
    o.stop_by, o.stop_at, o.carried_by, o.carrier, o.started_at, o.ended_at, o.outcome,
    (select r.id from replay r where r.operation_id = o.id) as replay_id";

pub(super) fn operation(row: &Row) -> Result<OperationRow, Error> {
    Ok(OperationRow {
        id: row.column("id")?,
        kind: row.column("kind")?,
        arguments: row.column("arguments")?,
        command: row.column("command")?,
        requested_by: row.column("requested_by")?,
        requested_from: row.column("requested_from")?,
        requested_at: row.column("requested_at")?,
        counted: row.column("counted")?,
        state: row.column("state")?,
        stop_by: row.column("stop_by")?,
        stop_at: row.column("stop_at")?,
        carried_by: row.column("carried_by")?,
        started_at: row.column("started_at")?,
        ended_at: row.column("ended_at")?,
        outcome: row.column("outcome")?,
        replay_id: row.column("replay_id")?,
    })
}
