//! The table of pulls.

use chrono::{DateTime, Utc};
use shared::{store::PullReport, view::describe_incomplete};

use super::{
    format::{duration, first_line, number, short_time},
    table::{Style, Table},
};
use crate::suggest;

/// The longest name of who requested a pull.
const LONGEST_NAME: usize = 14;

/// The table, and beneath it why pulls failed or are incomplete.
pub(crate) fn pulls(pulls: &[PullReport], now: DateTime<Utc>) -> String {
    if pulls.is_empty() {
        return suggest::typed("There is no pull yet: `operator pull` requests one.");
    }
    let failed = pulls.iter().filter_map(|pull| {
        let error = pull.error.as_deref()?;
        Some(format!("\npull {} failed: {error}", pull.pull_id))
    });
    let cut = pulls.iter().filter(|pull| pull.error.is_none());
    let cut = cut.filter_map(|pull| Some(format!("\npull {}: {}", pull.pull_id, describe_incomplete(pull)?)));
    format!("{}{}", table(pulls, now), failed.chain(cut).collect::<String>())
}

fn table(pulls: &[PullReport], now: DateTime<Utc>) -> Table {
    let mut table = Table::new(&[
        ">ID",
        "STATUS\nstopped by",
        "STARTED (UTC)\nrequested by",
        ">TOOK\npages",
        ">FETCHED\nstored",
        ">REJECTED\nduplicates",
        ">CHANNELS\nunknown",
    ]);
    for pull in pulls {
        table.styled_row(&[Style::Plain, Style::from_status(&pull.status)], row(pull, now));
    }
    table
}

/// Two lines per pull, as the headings say.
fn row(pull: &PullReport, now: DateTime<Utc>) -> [String; 7] {
    let took = pull.completed_at.map_or_else(|| "-".to_owned(), |end| duration(end - pull.started_at));
    [
        pull.pull_id.to_string(),
        two(&pull.status, pull.stop_reason.as_deref().unwrap_or("-")),
        two(&short_time(pull.started_at, now), &first_line(&pull.requested_by, LONGEST_NAME)),
        two(&took, &number(pull.pages)),
        two(&number(pull.fetched), &number(pull.stored)),
        two(&number(pull.rejected), &number(pull.duplicates)),
        two(&known(pull.channels_filled), &known(pull.channels_missing)),
    ]
}

fn two(above: &str, below: &str) -> String {
    format!("{above}\n{below}")
}

/// A count that is known once the pull has ended.
fn known(count: Option<i32>) -> String {
    count.map_or_else(|| "-".to_owned(), number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_table_fits_eighty_columns_and_breaks_no_word() {
        let wide = PullReport {
            status: "filling-channels".into(),
            pages: 1_024,
            fetched: 102_400,
            stored: 101_000,
            rejected: 12_345,
            requested_by: "somebody-with-a-long-name".into(),
            ..sample::under_way()
        };
        let now = sample::now() + chrono::TimeDelta::hours(40);
        let text = table(&[wide, sample::successful()], now).at_width(80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for word in ["filling-channels", "somebody-with…", "102,400", "12,345", "min_viewers"] {
            assert!(text.split_whitespace().any(|shown| shown == word), "{word} is broken in\n{text}");
        }
    }

    #[test]
    fn failures_are_explained_beneath_the_table() {
        let text = pulls(&[sample::successful(), sample::failed()], sample::now());
        assert!(text.ends_with("pull 6 failed: chunk 12 at game-enricher: Twitch answered 400"), "{text}");
        assert!(pulls(&[], sample::now()).contains("`operator pull`"));
    }
}
