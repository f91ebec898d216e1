//! Page 9: what data there is: the day's pulls and gaps, and what is in the latest.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use serde_json::json;
use shared::{
    store::{MissedSlot, PullReport, Top},
    view::{
        describe_incomplete,
        format::{count, number},
    },
};

use super::{
    context::{Context, Found, json_of},
    pulls::brief,
};
use crate::{
    cell::{Cell, Tone},
    document::{Block, Document, Plot, Section, Table},
    error::Error,
    picture,
    route::Filters,
};

/// The most pulls and gaps of a day that are shown: one per five minutes.
const MOST: i64 = 288;
/// So many games and languages.
const TOP: i64 = 15;

/// A day in UTC.
struct Day(NaiveDate);

struct InvalidDay;

impl fmt::Display for InvalidDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a day is written as 2026-01-31, and lies between 2011 and 2999")
    }
}

impl FromStr for Day {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| InvalidDay)?;
        let year = day.format("%Y").to_string();
        if text.len() == 10 && ("2011"..="2999").contains(&year.as_str()) {
            Ok(Self(day))
        } else {
            Err(InvalidDay)
        }
    }
}

/// Which day is asked for; today's if none.
pub(super) struct Asked(Option<Day>);

impl Asked {
    pub(super) fn parse(filters: &mut Filters) -> Result<Self, Error> {
        Ok(Self(filters.take("day")?))
    }
}

/// A pull or a gap, at its time.
enum Slot<'a> {
    Pull(&'a PullReport),
    Missed(&'a MissedSlot),
}

impl Slot<'_> {
    fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Pull(pull) => pull.slot.unwrap_or(pull.started_at),
            Self::Missed(missed) => missed.slot,
        }
    }
}

pub(super) async fn find(context: &Context<'_>, Asked(day): Asked) -> Result<Found, Error> {
    let (store, now) = (&context.console.store, context.now);
    let day = day.map_or_else(|| now.date_naive(), |Day(day)| day);
    let from = day.and_time(NaiveTime::MIN).and_utc();
    let to = from + Days::new(1);
    let pulls = store.pulls_between(from, to, MOST).await?;
    let missed = store.missed_slots_between(from, to, MOST).await?;
    let mut slots: Vec<Slot> = pulls.iter().map(Slot::Pull).chain(missed.iter().map(Slot::Missed)).collect();
    slots.sort_by_key(Slot::at);

    let (before, after) = (day - Days::new(1), day + Days::new(1));
    let mut days = vec![
        Cell::text(format!("{before}")).link(format!("/data?day={before}")),
        Cell::text(format!("{day}")),
    ];
    if after <= now.date_naive() {
        days.push(Cell::text(format!("{after}")).link(format!("/data?day={after}")));
    }
    let mut blocks = vec![Block::Filters("Day, in UTC", days)];
    if slots.is_empty() {
        blocks.push(Block::Text(Cell::text("No pull was started on this day, and no slot was missed.")));
    } else {
        blocks.push(Block::Plot(coverage(&pulls, &missed, &slots)));
    }
    let mut sections = vec![Section::new("day", format!("Coverage on {day}"), blocks)];
    let latest = pulls.iter().rev().find(|pull| pull.status == "success");
    let (mut games, mut languages) = (Vec::new(), Vec::new());
    if let Some(pull) = latest {
        games = store.top_games(pull, TOP).await?;
        languages = store.top_languages(pull, TOP).await?;
        let sql = format!("select data from pull_document where pull_id = {}", pull.pull_id);
        let title = format!("In pull {}, the latest that succeeded on this day", pull.pull_id);
        let whole = Cell::text(format!("{}, all of them as documents:", count(pull.stored, "stream")));
        sections.push(Section::new(
            "top",
            title,
            vec![
                Block::Table(top("Most watched games", "Game", &games)),
                Block::Table(top("Most watched languages", "Language", &languages)),
                Block::Text(whole.link(format!("/pulls/{}", pull.pull_id))),
                Block::Verbatim("SQL for the documents", sql),
            ],
        ));
    }
    let data = json!({
        "day": day.to_string(), "pulls": brief(&pulls), "missed_slots": json_of(&missed),
        "latest": latest.map(|pull| pull.pull_id), "top_games": json_of(&games), "top_languages": json_of(&languages),
    });
    Ok(Found { document: Document { title: "Data".into(), sections }, data })
}

fn coverage(pulls: &[PullReport], missed: &[MissedSlot], slots: &[Slot]) -> Plot {
    let columns = slots.iter().map(|slot| match slot {
        Slot::Pull(pull) => (Some(i64::from(pull.stored)), Tone::of_status(&pull.status)),
        Slot::Missed(_) => (None, Tone::Bad),
    });
    let rows = slots.iter().rev().map(|slot| match slot {
        Slot::Pull(pull) => vec![
            Cell::moment(slot.at()),
            Cell::text(pull.pull_id.to_string()).right().link(format!("/pulls/{}", pull.pull_id)),
            Cell::text(pull.status.clone()).tone(Tone::of_status(&pull.status)),
            Cell::number(pull.stored),
            describe(pull),
        ],
        Slot::Missed(missed) => vec![
            Cell::moment(missed.slot),
            Cell::text("–").right(),
            Cell::text("missed").tone(Tone::Bad),
            Cell::text("–").right(),
            Cell::text(missed.reason.clone()),
        ],
    });
    let whole = pulls.iter().filter(|pull| pull.status == "success" && pull.whole == Some(true)).count();
    Plot {
        id: "coverage-plot",
        title: "Streams stored, pull by pull".into(),
        summary: format!(
            "{}, {} of them whole; {}.",
            count(pulls.len(), "pull"),
            number(whole),
            count(missed.len(), "missed slot")
        ),
        picture: picture::columns(vec![("streams".into(), columns.collect())]),
        table: Table {
            caption: "Latest first".into(),
            head: vec!["Time", "Pull", "Status", "Streams", "Coverage, or the reason"],
            rows: rows.collect(),
            empty: "",
        },
        folded: false,
    }
}

/// What part of Twitch's list the pull has.
fn describe(pull: &PullReport) -> Cell {
    if let Some(error) = &pull.error {
        return Cell::text(error.clone());
    }
    match describe_incomplete(pull) {
        Some(why) => Cell::text(why).tone(Tone::Notice),
        None if pull.status == "success" => Cell::text("whole").tone(Tone::Good),
        None => Cell::text("under way"),
    }
}

fn top(caption: &str, name: &'static str, rows: &[Top]) -> Table {
    let most = rows.first().map_or(1, |top| top.viewers);
    let rows = rows.iter().map(|top| {
        let shown = if top.name.is_empty() { "(none)" } else { &top.name };
        vec![Cell::text(shown), Cell::number(top.streams), Cell::number(top.viewers).bar(top.viewers, most)]
    });
    Table {
        caption: caption.into(),
        head: vec![name, "Streams", "Viewers"],
        rows: rows.collect(),
        empty: "None.",
    }
}
