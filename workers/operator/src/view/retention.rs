//! How long data is kept, and what was removed.

use chrono::{DateTime, Utc};
use indicatif::HumanBytes;
use shared::{
    retention::{ClassSurvey, Removed},
    store::RetentionRun,
};

use super::{
    format::{ago, count, number},
    table::Table,
};

/// The classes, the days that have to stay, and the last run.
pub(crate) fn retention(classes: &[ClassSurvey], last: Option<&RetentionRun>, now: DateTime<Utc>) -> String {
    let mut table = Table::new(&["CLASS", "KEPT FOR", ">ROWS", ">SIZE", "OLDEST", "WOULD GO NOW"]);
    for class in classes {
        let default = if class.is_default { " (default)" } else { "" };
        table.row([
            class.class.to_owned(),
            format!("{}{default}", class.ttl),
            number(class.rows),
            size(class.bytes),
            class.oldest.map_or_else(|| "-".to_owned(), |oldest| oldest.format("%Y-%m-%d").to_string()),
            describe(&class.due).unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    let kept: Vec<String> = classes.iter().flat_map(|class| kept(&class.due)).collect();
    let last = last.map_or_else(
        || "\nNothing was removed yet: a finalizer does so daily, where it may.".to_owned(),
        |run| format!("\nLast run: {}, by {}.", ago(run.ended_at, now), run.by),
    );
    format!("{table}{}{last}", kept.concat())
}

/// What was removed, or would be, and what had to stay.
pub(crate) fn removed(all: &[Removed], dry_run: bool) -> String {
    let each: Vec<String> = all
        .iter()
        .filter_map(|removed| Some(format!("{} of {}", describe(removed)?, removed.class)))
        .collect();
    let kept: Vec<String> = all.iter().flat_map(kept).collect();
    let words = if dry_run {
        ("Would remove", "Nothing would be removed.")
    } else {
        ("Removed", "Nothing was removed.")
    };
    let told = if each.is_empty() { words.1.to_owned() } else { format!("{} {}.", words.0, each.join(", ")) };
    format!("{told}{}", kept.concat())
}

/// Days and rows; none where there are neither.
fn describe(removed: &Removed) -> Option<String> {
    match (removed.days.len(), removed.rows) {
        (0, 0) => None,
        (0, rows) => Some(count(rows, "row")),
        (days, _) => Some(format!("{} ({})", count(days as u64, "day"), size(removed.bytes))),
    }
}

/// A line for each day that has to stay.
fn kept(removed: &Removed) -> impl Iterator<Item = String> {
    removed.kept.iter().map(|kept| format!("\n{} of {} stay: {}", removed.class, kept.day, kept.why))
}

/// A number of bytes: `12.30 MiB`.
fn size(bytes: i64) -> String {
    HumanBytes(bytes.try_into().unwrap_or_default()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, now};

    #[test]
    fn a_class_says_what_would_go_and_what_has_to_stay() {
        let run = RetentionRun { by: "finalizer".into(), ended_at: now() - chrono::TimeDelta::hours(3) };
        let text = retention(&sample::retention(), Some(&run), now());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "CLASS   KEPT FOR        ROWS      SIZE  OLDEST      WOULD GO NOW",
                "pages   90d (default)  1,200  2.00 MiB  2026-04-12  1 day (1.00 MiB)",
                "alarms  never              0       0 B  -           -",
                "",
                "pages of 2026-04-12 stay: 1 pull under way",
                "Last run: 3h ago, by finalizer.",
            ]
        );
        assert_eq!(
            removed(&[sample::retention().remove(0).due], true),
            "Would remove 1 day (1.00 MiB) of pages.\npages of 2026-04-12 stay: 1 pull under way"
        );
        assert_eq!(removed(&[], false), "Nothing was removed.");
    }
}
