//! The table of pulls.

use chrono::{DateTime, Utc};
use shared::store::PullReport;

use super::{
    Table,
    format::{ago, duration, not_whole, number, short_time},
    table::Style,
};
use crate::suggest;

/// The table, and beneath it why those that failed did.
pub(crate) fn pulls(pulls: &[PullReport], now: DateTime<Utc>) -> String {
    if pulls.is_empty() {
        return suggest::typed("There is no pull yet: `operator pull` asks for one.");
    }
    let mut table = Table::new(&[
        ">ID",
        "STATUS\nstopped by",
        "STARTED (UTC)\nasked for by",
        ">TOOK",
        ">PAGES\ncalls",
        ">FETCHED\nstored",
        ">REJECTED\nduplicates",
        ">GAMES NEW\nunknown",
        ">CHANNELS\nunknown",
    ]);
    for pull in pulls {
        table.toned(&[Style::Plain, Style::of_status(&pull.status)], row(pull, now));
    }
    let failed = pulls.iter().filter_map(|pull| {
        let error = pull.error.as_deref()?;
        Some(format!("\npull {} failed: {error}", pull.pull_id))
    });
    let cut = pulls.iter().filter(|pull| pull.error.is_none());
    let cut = cut.filter_map(|pull| Some(format!("\npull {}: {}", pull.pull_id, not_whole(pull)?)));
    format!("{table}{}", failed.chain(cut).collect::<String>())
}

/// Two lines a pull, as the headings say.
fn row(pull: &PullReport, now: DateTime<Utc>) -> [String; 9] {
    let asked = match pull.slot {
        Some(slot) => format!("slot {}", short_time(slot, now)),
        None => pull.requested_by.clone(),
    };
    let started = format!("{} {}", short_time(pull.started_at, now), ago(pull.started_at, now));
    let took = pull.completed_at.map_or_else(|| "-".to_owned(), |end| duration(end - pull.started_at));
    [
        pull.pull_id.to_string(),
        two(&pull.status, pull.stop_reason.as_deref().unwrap_or("-")),
        two(&started, &asked),
        took,
        two(&number(pull.pages), &number(pull.helix_calls)),
        two(&number(pull.fetched), &number(pull.stored)),
        two(&number(pull.rejected), &number(pull.duplicates)),
        two(&known(pull.games_added), &known(pull.games_missing)),
        two(&known(pull.channels_filled), &known(pull.channels_missing)),
    ]
}

fn two(above: &str, below: &str) -> String {
    format!("{above}\n{below}")
}

/// A count that is there once the pull is closed.
fn known(count: Option<i32>) -> String {
    count.map_or_else(|| "-".to_owned(), number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;

    #[test]
    fn the_table_fits_a_hundred_columns() {
        let wide = PullReport {
            status: "filling-channels".into(),
            pages: 1_024,
            fetched: 102_400,
            stored: 101_000,
            rejected: 12_345,
            requested_by: "somebody-else".into(),
            ..sample::under_way()
        };
        let text = pulls(
            &[wide, sample::successful(), sample::failed()],
            sample::now() + chrono::TimeDelta::hours(40),
        );
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.contains("2d ago") || text.contains("1d ago"), "{text}");
        assert!(text.ends_with("pull 6 failed: chunk 12 at game-enricher: Twitch answered 400"), "{text}");
        assert!(pulls(&[], sample::now()).contains("`operator pull`"));
    }
}
