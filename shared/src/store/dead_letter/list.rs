//! Table `dead_letter`, as a person asks about it: a list, one in full.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::{Row, types::ToSql};

use super::filter::{CONDITION, DeadLetterFilter};
use crate::store::{Error, Store, column::Columns};

/// A dead letter in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterRow {
    /// Its number.
    pub id: i64,
    /// The queue it lies, or lay, in.
    pub queue: String,
    /// The stage that failed.
    pub stage: String,
    /// The failure's class.
    pub class: String,
    /// The failure's code.
    pub code: String,
    /// The failure in words.
    pub message: String,
    /// Its group.
    pub fingerprint: String,
    /// Attempts that failed.
    pub attempts: i32,
    /// When it failed first.
    pub first_failed_at: DateTime<Utc>,
    /// When it failed last.
    pub last_failed_at: DateTime<Utc>,
    /// The build that failed.
    pub build: String,
    /// Replays its message had behind it.
    pub generation: i32,
    /// The pull it is about.
    pub pull_id: Option<i64>,
    /// The chunk it is about.
    pub chunk: Option<i32>,
    /// What became of it.
    pub state: String,
}

/// A line of a dead letter's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// What.
    pub event: String,
    /// More.
    pub detail: String,
}

/// A dead letter, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetterDetails {
    /// What a list shows.
    #[serde(flatten)]
    pub row: DeadLetterRow,
    /// Its own name, as in its header.
    pub letter: String,
    /// What caused the failure.
    pub causes: String,
    /// The host that failed.
    pub host: String,
    /// The message's id.
    pub message_id: String,
    /// The message's kind.
    pub kind: String,
    /// Its properties and headers.
    pub properties: Value,
    /// Its body.
    #[serde(skip)]
    pub body: Vec<u8>,
    /// Until which build it is held.
    pub held_until: Option<String>,
    /// The dead letter whose replay came back as this one.
    pub replay_of: Option<i64>,
    /// What happened to it.
    pub events: Vec<DeadLetterEvent>,
}

const ROW: &str =
    "d.id, d.queue, d.stage, d.class, d.code, d.message, d.fingerprint, d.attempts, d.first_failed_at,
    d.last_failed_at, d.build, d.generation, d.pull_id, d.chunk, d.state";

fn row(row: &Row) -> Result<DeadLetterRow, Error> {
    Ok(DeadLetterRow {
        id: row.column("id")?,
        queue: row.column("queue")?,
        stage: row.column("stage")?,
        class: row.column("class")?,
        code: row.column("code")?,
        message: row.column("message")?,
        fingerprint: row.column("fingerprint")?,
        attempts: row.column("attempts")?,
        first_failed_at: row.column("first_failed_at")?,
        last_failed_at: row.column("last_failed_at")?,
        build: row.column("build")?,
        generation: row.column("generation")?,
        pull_id: row.column("pull_id")?,
        chunk: row.column("chunk")?,
        state: row.column("state")?,
    })
}

impl Store {
    /// The dead letters meant, oldest first, a page at a time: at most `limit` after the dead letter numbered `after`.
    pub async fn list_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        after: i64,
        limit: i64,
    ) -> Result<Vec<DeadLetterRow>, Error> {
        let sql = format!(
            "/* list::list_dead_letters */ select {ROW} from dead_letter d where {CONDITION} and d.id > $12 order by d.id limit $13"
        );
        let states = filter.states();
        let mut parameters = filter.parameters(&states);
        parameters.extend([&after as &(dyn ToSql + Sync), &limit]);
        self.client().await?.query(&sql, &parameters).await?.iter().map(row).collect()
    }

    /// How many dead letters are meant.
    pub async fn count_dead_letters(&self, filter: &DeadLetterFilter) -> Result<i64, Error> {
        let sql =
            format!("/* list::count */ select count(*) as letters from dead_letter d where {CONDITION}");
        let states = filter.states();
        self.client().await?.query_one(&sql, &filter.parameters(&states)).await?.column("letters")
    }

    /// One dead letter, whole; none if there is no such number.
    pub async fn dead_letter(&self, id: i64) -> Result<Option<DeadLetterDetails>, Error> {
        let sql = format!(
            "/* list::dead_letter */
            select {ROW}, d.letter, d.causes, d.host, d.message_id, d.kind, d.properties, d.body, d.held_until, d.replay_of
            from dead_letter d where d.id = $1"
        );
        let history = "/* list::dead_letter, history */
            select at, by, event, detail from dead_letter_event where letter_id = $1 order by seq";
        let client = self.client().await?;
        let Some(found) = client.query_opt(&sql, &[&id]).await? else { return Ok(None) };
        let events = client.query(history, &[&id]).await?;
        let event = |row: &Row| {
            Ok(DeadLetterEvent {
                at: row.column("at")?,
                by: row.column("by")?,
                event: row.column("event")?,
                detail: row.column("detail")?,
            })
        };
        Ok(Some(DeadLetterDetails {
            row: row(&found)?,
            letter: found.column("letter")?,
            causes: found.column("causes")?,
            host: found.column("host")?,
            message_id: found.column("message_id")?,
            kind: found.column("kind")?,
            properties: found.column("properties")?,
            body: found.column("body")?,
            held_until: found.column("held_until")?,
            replay_of: found.column("replay_of")?,
            events: events.iter().map(event).collect::<Result<_, Error>>()?,
        }))
    }
}
