//! The data lake, as its catalogue tells.

use chrono::{DateTime, Utc};
use shared::store::LakeStatus;

use super::{
    format::{ago, count, number, time},
    table::{Table, section},
};

/// Place, pulls, snapshots and tables.
pub(crate) fn lake(status: &LakeStatus, now: DateTime<Utc>) -> String {
    let Some(root) = &status.root else {
        return "There is no lake: no exporter has run yet (deploy/LAKE.md).".to_owned();
    };
    let missing = status.missing_since.map_or_else(String::new, |since| {
        format!(
            "; {} not yet, the oldest complete {}",
            count(status.missing, "completed pull"),
            ago(since, now)
        )
    });
    let left_out = match status.left_out {
        0 => String::new(),
        pulls => format!("; {} left out: the dead letter was discarded, or the rows are gone", number(pulls)),
    };
    let place = if status.copied {
        format!("{root}, of the database from which this one was copied: `operator lake adopt` or `reset`")
    } else {
        root.clone()
    };
    let facts = Table::facts([
        ("place", place),
        ("pulls", format!("{}{missing}{left_out}", number(status.pulls))),
        ("snapshot", format!("{}, {}", status.snapshot.0, time(status.snapshot.1))),
        ("oldest", format!("{}, {}", status.oldest.0, time(status.oldest.1))),
        ("to be removed", count(status.to_be_removed, "file")),
    ]);
    let mut told = section("Lake", &facts.to_string()) + &section("Tables", &tables(status).to_string());
    if !status.waiting_days.is_empty() {
        told += &section("Days that cannot be compacted yet", &waiting_days(status).to_string());
    }
    told
}

/// The days, and the pulls that have not come to their end or are not exported as they are.
fn waiting_days(status: &LakeStatus) -> Table {
    let mut table = Table::new(&["DAY", ">PULLS", "THE FIRST"]);
    for (day, pulls) in &status.waiting_days {
        let first = pulls.iter().take(3).map(|pull| format!("pull {pull}")).collect::<Vec<_>>().join(", ");
        table.row([day.to_string(), number(i64::try_from(pulls.len()).unwrap_or(i64::MAX)), first]);
    }
    table
}

fn tables(status: &LakeStatus) -> Table {
    let mut table = Table::new(&["TABLE", ">ROWS", ">FILES", ">OF ONE PULL", ">BYTES"]);
    for one in &status.tables {
        let numbers = [one.rows, one.files, one.hot_files, one.bytes].map(number);
        table.row(std::iter::once(one.name.clone()).chain(numbers));
    }
    table
}
