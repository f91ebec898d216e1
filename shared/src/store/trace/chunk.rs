//! What was done to a chunk, in order: by the stages, by dead letters and their replays, and by reruns.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;
use tokio_postgres::Row;

use super::{
    model::{PullFacts, TraceStep},
    page::KeptPage,
};
use crate::store::{Error, column::Columns, reject_text};

/// Everything that was done to a chunk of a pull, and to the pull as a whole; to the latter only where no chunk is meant.
pub(super) async fn steps(
    client: &ClientWrapper,
    pull: &PullFacts,
    page: Option<&KeptPage>,
) -> Result<Vec<TraceStep>, Error> {
    let sql = "/* trace::steps */
        select at, stage, action, attempt, calls, coalesce(detail, '') as detail, build from provenance
        where pull_id = $1 and pulled_at = $2 and chunk in (0, $3)
        union all
        select e.at, d.stage, case e.event when 'died' then 'DROP' when 'replayed' then 'REPLAY' else 'ROUTE' end, null, 0,
               case when e.event = 'died' then format('dead letter %s: %s', d.id, d.message)
                    else format('dead letter %s %s by %s: %s', d.id, e.event, e.by, e.detail) end,
               case when e.event = 'died' then d.build end
        from dead_letter d join dead_letter_event e on e.letter_id = d.id
        where d.pull_id = $1 and (d.chunk is null or d.chunk = $3)
        union all
        select l.outcome_at, d.stage, 'REPLAY', null, 0, format('replay %s: %s', l.replay_id, l.outcome), l.build
        from dead_letter d join replay_letter l on l.letter_id = d.id
        where d.pull_id = $1 and (d.chunk is null or d.chunk = $3) and l.outcome_at is not null
        union all
        select at, from_stage, 'REPLAY', null, 0, format('rerun by %s from here; it was %s', by, was_status), build
        from pull_rerun where pull_id = $1
        union all
        select at, 'finalizer', case event when 'success' then 'SEND' when 'failed' then 'DROP' else 'REPLAY' end, null, 0,
               case event when 'success' then 'the pull is complete' when 'failed' then 'the pull failed: ' || error
                          else 'the pull goes on' end, build
        from pull_history where pull_id = $1
        order by 1";
    let chunk = page.map_or(0, |page| page.chunk.chunk);
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &[&pull.pull_id.0, &pull.started_at, &chunk]).await?;
    let mut steps = rows.iter().map(step).collect::<Result<Vec<_>, _>>()?;
    if let Some(page) = page {
        steps.extend(told_by_times(page, &steps));
        steps.extend(dropped(page));
    }
    // What has the same time stays in order.
    steps.sort_by_key(|(step, _)| step.at);
    Ok(with_attempts(steps))
}

/// A step, and the attempt that failed with it.
type Step = (TraceStep, Option<i32>);

fn step(row: &Row) -> Result<Step, Error> {
    let step = TraceStep {
        at: row.column("at")?,
        stage: row.column("stage")?,
        action: row.column("action")?,
        attempt: 1,
        calls: row.column("calls")?,
        detail: row.column("detail")?,
        build: row.column("build")?,
    };
    Ok((step, row.column("attempt")?))
}

fn new_step(at: DateTime<Utc>, stage: &str, action: &str, detail: String) -> Step {
    let step = TraceStep {
        at,
        stage: stage.to_owned(),
        action: action.to_owned(),
        attempt: 1,
        calls: 0,
        detail,
        build: None,
    };
    (step, None)
}

/// What builds before provenance did, as the chunk's own times tell it.
fn told_by_times(page: &KeptPage, steps: &[Step]) -> Vec<Step> {
    let told = |stage: &str| steps.iter().any(|(step, failed)| step.stage == stage && failed.is_none());
    let received = ("extractor", "RECEIVE", Some(page.stored_at));
    let all = std::iter::once(received).chain(page.done);
    all.filter(|(stage, ..)| !told(stage))
        .filter_map(|(stage, action, at)| Some(new_step(at?, stage, action, String::new())))
        .collect()
}

/// What was dropped of the page.
fn dropped(page: &KeptPage) -> Option<Step> {
    let by_rule = reject_text::by_rule(&page.rejects);
    let rejects = by_rule.iter().map(|(rule, records)| format!("{records} {rule}"));
    let duplicates = (page.duplicate_count > 0).then(|| format!("{} duplicates", page.duplicate_count));
    let dropped: Vec<String> = rejects.chain(duplicates).collect();
    (!dropped.is_empty()).then(|| {
        new_step(page.stored_at, "extractor", "DROP", format!("of this page: {}", dropped.join(", ")))
    })
}

/// The steps with their attempts: one that failed is known by its number, and what a stage does after it is the next.
fn with_attempts(steps: Vec<Step>) -> Vec<TraceStep> {
    let mut failed: HashMap<String, i32> = HashMap::new();
    let mut numbered = Vec::with_capacity(steps.len());
    for (mut step, attempt) in steps {
        let before = failed.entry(step.stage.clone()).or_default();
        step.attempt = attempt.unwrap_or(*before + 1);
        *before = match step.action.as_str() {
            // Done: the next time it begins again.
            "RECEIVE" | "FETCH" | "CONTENT_MODIFIED" | "DROP" | "REPLAY" => 0,
            _ => attempt.unwrap_or(0),
        };
        numbered.push(step);
    }
    numbered
}
