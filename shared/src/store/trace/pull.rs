//! A pull as a whole: how often it was made, and what each stage did with it.

use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;
use tokio_postgres::{Row, types::Json};

use super::{
    chunk::steps,
    model::{PullFacts, TraceStep},
    page::KeptPage,
};
use crate::{
    schema::{ChunkRef, PullId},
    store::{Error, Store, column::Columns},
};

/// A pull, traced.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PullTrace {
    /// The pull.
    pub pull: PullFacts,
    /// How often it was made, and what came of it, in order.
    pub attempts: Vec<PullAttempt>,
    /// What the stages did with its chunks.
    pub stages: Vec<StageWork>,
    /// What was done to one chunk, where one was asked for; else to the pull as a whole.
    pub steps: Vec<TraceStep>,
}

/// One time that a pull was made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PullAttempt {
    /// When it began: with the pull, or when it was brought back.
    pub began_at: DateTime<Utc>,
    /// Who asked for it.
    pub by: String,
    /// The first stage that ran.
    pub from_stage: String,
    /// When it came to its end; none while it is under way.
    pub ended_at: Option<DateTime<Utc>>,
    /// `success`, `failed`, or `under way`.
    pub outcome: String,
    /// Why it failed.
    pub error: Option<String>,
    /// The build that closed it.
    pub build: Option<String>,
    /// Streams stored, and records rejected, at its end.
    pub counts: Option<(i32, i32)>,
}

/// What one build of a stage did with the chunks of a pull.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StageWork {
    /// The stage.
    pub stage: String,
    /// The build.
    pub build: String,
    /// What it did.
    pub action: String,
    /// With so many chunks.
    pub chunks: i64,
    /// Attempts that failed, and were made again.
    pub failed: i64,
    /// Calls to Helix.
    pub calls: i64,
    /// When it did so first.
    pub first_at: DateTime<Utc>,
    /// When it did so last.
    pub last_at: DateTime<Utc>,
}

impl Store {
    /// A pull, and one of its chunks where one is asked for.
    ///
    /// # Errors
    /// [`Error::NoChunk`] where that chunk is not there.
    pub async fn trace_pull(&self, pull: PullId, chunk: Option<i32>) -> Result<PullTrace, Error> {
        let client = self.client().await?;
        let pull = facts(&client, pull).await?;
        let page = match chunk {
            Some(chunk) => {
                let key = ChunkRef { pull_id: pull.pull_id, pulled_at: pull.started_at, chunk };
                Some(KeptPage::load(&client, &pull, chunk).await?.ok_or(Error::NoChunk(key))?)
            }
            None => None,
        };
        let (attempts, stages) = (attempts(&client, &pull).await?, stages(&client, &pull).await?);
        let steps = steps(&client, &pull, page.as_ref()).await?;
        Ok(PullTrace { pull, attempts, stages, steps })
    }
}

/// What a trace tells of a pull.
pub(super) async fn facts(client: &ClientWrapper, pull: PullId) -> Result<PullFacts, Error> {
    let sql = "/* trace::pull */
        select id, status, slot, requested_by, started_at, extracted_at, completed_at, stop_reason, error, pages, last_viewers,
               settings, build
        from pull where id = $1";
    let statement = client.prepare_cached(sql).await?;
    let row = client.query_opt(&statement, &[&pull.0]).await?.ok_or(Error::NoPull(pull))?;
    let settings: Option<Json<_>> = row.column("settings")?;
    Ok(PullFacts {
        pull_id: PullId(row.column("id")?),
        status: row.column("status")?,
        slot: row.column("slot")?,
        requested_by: row.column("requested_by")?,
        started_at: row.column("started_at")?,
        extracted_at: row.column("extracted_at")?,
        completed_at: row.column("completed_at")?,
        stop_reason: row.column("stop_reason")?,
        error: row.column("error")?,
        pages: row.column("pages")?,
        last_viewers: row.column("last_viewers")?,
        settings: settings.map(|Json(settings)| settings),
        build: row.column("build")?,
    })
}

/// How many pages of a pull are still kept.
pub(super) async fn pages_there(client: &ClientWrapper, pull: &PullFacts) -> Result<i32, Error> {
    let sql = "/* trace::pages_there */ select count(*)::int as pages from pull_chunk where pull_id = $1 and pulled_at = $2";
    let statement = client.prepare_cached(sql).await?;
    client.query_one(&statement, &[&pull.pull_id.0, &pull.started_at]).await?.column("pages")
}

async fn stages(client: &ClientWrapper, pull: &PullFacts) -> Result<Vec<StageWork>, Error> {
    let sql = "/* trace::stages */
        select stage, build, min(action) filter (where attempt is null) as action,
               count(distinct chunk) filter (where attempt is null) as chunks, count(attempt) as failed, sum(calls) as calls,
               min(at) as first_at, max(at) as last_at
        from provenance where pull_id = $1 and pulled_at = $2
        group by stage, build order by min(at), stage";
    let work = |row: &Row| {
        Ok(StageWork {
            stage: row.column("stage")?,
            build: row.column("build")?,
            action: row.column::<Option<String>>("action")?.unwrap_or_default(),
            chunks: row.column("chunks")?,
            failed: row.column("failed")?,
            calls: row.column("calls")?,
            first_at: row.column("first_at")?,
            last_at: row.column("last_at")?,
        })
    };
    client.query(sql, &[&pull.pull_id.0, &pull.started_at]).await?.iter().map(work).collect()
}

/// How often a pull was made: each end closes an attempt, and each return begins one.
async fn attempts(client: &ClientWrapper, pull: &PullFacts) -> Result<Vec<PullAttempt>, Error> {
    let sql = "/* trace::attempts */
        select h.at, h.event, h.error, h.build, h.stored, h.rejected, r.by, r.from_stage
        from pull_history h
        left join lateral (
            select by, from_stage from pull_rerun
            where h.event = 'again' and pull_id = h.pull_id and at between h.at - interval '1 minute' and h.at + interval '1 minute'
            order by abs(extract(epoch from at - h.at)) limit 1) r on true
        where h.pull_id = $1 order by h.id";
    let began = |began_at, by: String, from_stage: String| PullAttempt {
        began_at,
        by,
        from_stage,
        ended_at: None,
        outcome: "under way".to_owned(),
        error: None,
        build: None,
        counts: None,
    };
    let mut attempts = vec![began(pull.started_at, pull.requested_by.clone(), "extractor".to_owned())];
    for row in client.query(sql, &[&pull.pull_id.0]).await? {
        let event: String = row.column("event")?;
        if event == "again" {
            let (by, from): (Option<String>, Option<String>) = (row.column("by")?, row.column("from_stage")?);
            // Without a rerun it is a replay that brought it back, or revalidated records.
            let by = by.unwrap_or_else(|| "a replay, or revalidated records".to_owned());
            attempts.push(began(row.column("at")?, by, from.unwrap_or_default()));
        } else if let Some(attempt) = attempts.last_mut() {
            attempt.ended_at = Some(row.column("at")?);
            attempt.outcome = event;
            attempt.error = row.column("error")?;
            attempt.build = row.column("build")?;
            attempt.counts = Some((row.column("stored")?, row.column("rejected")?));
        }
    }
    Ok(attempts)
}
