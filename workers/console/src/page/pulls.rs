//! Page 2: pulls, newest first.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use shared::{
    store::{PullFilter, PullReport, StageEnds},
    view::format::{count, duration},
};

use super::context::{Context, Found, json_of};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Section, Table, command},
    error::Error,
    route::Filters,
};

/// So many pulls on a page.
const MOST: usize = 25;
const STATUSES: [&str; 5] = ["pending", "filling-games", "filling-channels", "success", "failed"];

/// Which pulls are asked for.
pub(super) struct Asked {
    status: Option<&'static str>,
    by: Option<&'static str>,
    before: Option<i64>,
}

impl Asked {
    pub(super) fn parse(filters: &mut Filters) -> Result<Self, Error> {
        Ok(Self {
            status: filters.take_one_of("status", &STATUSES)?,
            by: filters.take_one_of("by", &["schedule", "request"])?,
            before: filters.take("before")?,
        })
    }

    /// The address with this status, this origin and this beginning.
    fn address(status: Option<&str>, by: Option<&str>, before: Option<i64>) -> String {
        let before = before.map(|before| before.to_string());
        let given = [("status", status), ("by", by), ("before", before.as_deref())];
        let given = given.iter().filter_map(|(name, value)| Some(format!("{name}={}", (*value)?)));
        let query = given.collect::<Vec<_>>().join("&");
        if query.is_empty() { "/pulls".to_owned() } else { format!("/pulls?{query}") }
    }
}

/// A pull with what its stages took, each after the one before, in the order of the flow.
struct Timed {
    pull: PullReport,
    took: [Option<TimeDelta>; 4],
    whole: Option<TimeDelta>,
}

pub(super) async fn find(context: &Context<'_>, asked: Asked) -> Result<Found, Error> {
    let store = &context.console.store;
    let filter = PullFilter {
        status: asked.status.map(str::to_owned),
        scheduled: asked.by.map(|by| by == "schedule"),
        before: asked.before,
    };
    // One more than is shown tells whether there is a next page.
    let mut pulls = store.list_pulls(&filter, 1 + i64::try_from(MOST).unwrap_or(i64::MAX)).await?;
    let more = pulls.len() > MOST;
    pulls.truncate(MOST);
    let ends = store.stage_ends(&pulls).await?;
    let data = json!({ "pulls": brief(&pulls), "stage_ends": json_of(&ends), "more": more });
    let timed: Vec<Timed> = pulls.into_iter().map(|pull| timed(pull, &ends)).collect();

    let mut blocks = vec![
        Block::Filters(
            "Status",
            choices("any", &STATUSES, asked.status, |status| Asked::address(status, asked.by, None)),
        ),
        Block::Filters(
            "Started by",
            choices("anybody", &["schedule", "request"], asked.by, |by| {
                Asked::address(asked.status, by, None)
            }),
        ),
        Block::Table(table(&timed, context.now)),
    ];
    let mut ways = Vec::new();
    if asked.before.is_some() {
        ways.push(Cell::text("Newest").link(Asked::address(asked.status, asked.by, None)));
    }
    if let Some(last) = timed.last().filter(|_| more) {
        let before = Some(last.pull.pull_id.0);
        ways.push(Cell::text("Older").link(Asked::address(asked.status, asked.by, before)));
    }
    if !ways.is_empty() {
        blocks.push(Block::Filters("More", ways));
    }
    blocks.push(Block::Commands(vec![("The same as text", command("pulls"))]));
    let title = "Pulls".to_owned();
    let sections = vec![Section::new("pulls", count(timed.len(), "pull") + ", newest first", blocks)];
    Ok(Found { document: Document { title, sections }, data })
}

/// Pulls as data, without what is not counted for a list.
pub(super) fn brief(pulls: &[PullReport]) -> Value {
    let mut data = json_of(&pulls);
    for pull in data.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        pull.remove("rejected_by_rule");
    }
    data
}

/// Links to the same page with one filter changed; the one that is chosen is none.
pub(super) fn choices(
    none: &str,
    values: &[&'static str],
    chosen: Option<&str>,
    address: impl Fn(Option<&str>) -> String,
) -> Vec<Cell> {
    let link = |value: Option<&'static str>| {
        let cell = Cell::text(value.unwrap_or(none));
        if value == chosen { cell } else { cell.link(address(value)) }
    };
    [None].into_iter().chain(values.iter().copied().map(Some)).map(link).collect()
}

fn timed(pull: PullReport, ends: &[StageEnds]) -> Timed {
    let ends = ends.iter().find(|ends| ends.pull_id == pull.pull_id.0);
    let done = |all: bool, at: Option<DateTime<Utc>>| at.filter(|_| all);
    let chunks = i64::from(pull.chunks);
    let at = [
        pull.extracted_at,
        ends.and_then(|ends| done(pull.games_chunks == chunks, ends.games_at)),
        ends.and_then(|ends| done(pull.channels_chunks == chunks, ends.channels_at)),
        ends.and_then(|ends| done(pull.merged_chunks == chunks, ends.merged_at)),
    ];
    let took = at.map(|at| at.map(|at| at - pull.started_at));
    let whole = pull.completed_at.map(|end| end - pull.started_at);
    Timed { pull, took, whole }
}

fn table(timed: &[Timed], now: DateTime<Utc>) -> Table {
    let head = vec![
        "Pull",
        "Status",
        "Started",
        "Streams",
        "Rejected",
        "Pages until",
        "Games until",
        "Channels until",
        "Merged until",
        "Took",
    ];
    let longest = timed.iter().filter_map(|timed| timed.whole).max().unwrap_or_default().num_milliseconds();
    let mut rows: Vec<Vec<Cell>> = timed.iter().map(|timed| row(timed, longest, now)).collect();
    if timed.len() > 1 {
        rows.push(summary("median of these", timed, 50));
        rows.push(summary("95th percentile", timed, 95));
    }
    let caption = "How long after its start each stage was done with all chunks of a pull".to_owned();
    Table { caption, head, rows, empty: "No pull matches." }
}

fn row(timed: &Timed, longest: i64, now: DateTime<Utc>) -> Vec<Cell> {
    let pull = &timed.pull;
    let page = format!("/pulls/{}", pull.pull_id);
    let span = |took: Option<TimeDelta>| match took {
        Some(took) => {
            Cell::text(format!("+{}", duration(took))).right().bar(took.num_milliseconds(), longest)
        }
        None => Cell::text("–").right(),
    };
    let whole = match timed.whole {
        Some(took) => Cell::text(duration(took)).right(),
        None => Cell::text(format!("{} so far", duration(now - pull.started_at))).right(),
    };
    let rejected = Cell::number(pull.rejected);
    let mut row = vec![
        Cell::text(pull.pull_id.to_string()).right().link(page.clone()),
        Cell::text(pull.status.clone()).tone(Tone::of_status(&pull.status)),
        Cell::ago(pull.started_at, now),
        Cell::number(pull.stored),
        if pull.rejected > 0 { rejected.link(format!("{page}#counts")) } else { rejected },
    ];
    row.extend(timed.took.iter().map(|took| span(*took)));
    row.push(whole);
    row
}

/// The nearest-rank percentile of each column.
fn summary(name: &str, timed: &[Timed], percent: usize) -> Vec<Cell> {
    let percentile = |mut times: Vec<TimeDelta>| {
        times.sort_unstable();
        let rank = (times.len() * percent).div_ceil(100).max(1);
        times
            .get(rank - 1)
            .map_or_else(|| Cell::text("–").right(), |took| Cell::text(duration(*took)).right())
    };
    let mut row = vec![Cell::text(name)];
    row.extend((0..4).map(|_| Cell::default()));
    row.extend((0..4).map(|stage| percentile(timed.iter().filter_map(|timed| timed.took[stage]).collect())));
    row.push(percentile(timed.iter().filter_map(|timed| timed.whole).collect()));
    row
}
