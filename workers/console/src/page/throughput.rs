//! Messages per minute, stage by stage.

use chrono::{DateTime, TimeDelta, Utc};
use shared::{store::StageMinute, topology::STAGES, view::format::count};

use crate::{
    cell::{Cell, Tone},
    document::{Plot, Table},
    picture,
};

/// How far back the plot of what stages have done goes, in minutes.
pub(super) const MINUTES: i64 = 30;

/// What each stage did in the minute before this one, or in this one if that was more.
pub(super) fn rates(minutes: &[StageMinute], now: DateTime<Utc>) -> [i64; 4] {
    let since = floor(now) - TimeDelta::minutes(1);
    let mut rates = [0; 4];
    for done in minutes.iter().filter(|done| done.minute >= since) {
        if let Some(rate) = rates.get_mut(done.stage) {
            *rate = done.chunks.max(*rate);
        }
    }
    rates
}

pub(super) fn throughput(minutes: &[StageMinute], first: DateTime<Utc>) -> Plot {
    let at = |stage: usize, minute: i64| {
        let wanted = first + TimeDelta::minutes(minute);
        let found = minutes.iter().find(|done| done.stage == stage && done.minute == wanted);
        found.map_or(0, |done| done.chunks)
    };
    let rows = STAGES.iter().enumerate().map(|(stage, info)| {
        (info.name.to_owned(), (0..MINUTES).map(|minute| (Some(at(stage, minute)), Tone::Plain)).collect())
    });
    let picture = picture::columns(rows.collect());
    let busy = (0..MINUTES).filter(|minute| (0..STAGES.len()).any(|stage| at(stage, *minute) > 0));
    let rows = busy.map(|minute| {
        let mut row = vec![Cell::moment(first + TimeDelta::minutes(minute))];
        row.extend((0..STAGES.len()).map(|stage| Cell::number(at(stage, minute))));
        row
    });
    let head = ["Minute"].into_iter().chain(STAGES.iter().map(|stage| stage.name)).collect();
    let merged: i64 =
        minutes.iter().filter(|done| done.stage + 1 == STAGES.len()).map(|done| done.chunks).sum();
    Plot {
        id: "done-plot",
        title: format!("Chunks done per minute in the last {MINUTES} minutes, by stage"),
        summary: format!("{} merged in {MINUTES} minutes.", count(merged, "chunk")),
        picture,
        table: Table {
            caption: "Chunks done, minutes without any left out".into(),
            head,
            rows: rows.collect(),
            empty: "No stage has done anything.",
        },
        folded: true,
    }
}

/// The beginning of a minute.
pub(super) fn floor(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::nanoseconds(at.timestamp_nanos_opt().unwrap_or_default().rem_euclid(60_000_000_000))
}
