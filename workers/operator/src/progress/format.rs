//! How far a pull is, in words: the texts beside the bars, and the one line where there are none.

use chrono::{DateTime, Utc};
use shared::store::PullReport;

use super::rate::Pace;
use crate::view::format::{count, duration, heading, number};

/// What the extractor has brought.
pub(crate) fn fetched(pull: &PullReport, pace: &Pace) -> String {
    let rate = match (pull.extracted_at, pace.records_per_second()) {
        (Some(end), _) => format!(", done in {}", duration(end - pull.started_at)),
        (None, Some(rate)) => format!(", {}/s", number(rate)),
        (None, None) => String::new(),
    };
    format!("{}, {}{rate}", count(pull.pages, "page"), count(pull.stored, "stream"))
}

/// How many chunks a stage is done with; more may come while pages are being fetched.
pub(crate) fn share(done: i64, pull: &PullReport) -> String {
    format!("{} of {}", number(done), number(pull.chunks))
}

/// The last words of the last stage.
pub(crate) fn merged(pull: &PullReport, pace: &Pace) -> String {
    let left = pace.time_left(pull).map(|left| format!(", about {} left", duration(left)));
    format!("{}{}", share(pull.merged_chunks, pull), left.unwrap_or_default())
}

/// Everything in one line.
pub(crate) fn line(pull: &PullReport, pace: &Pace, now: DateTime<Utc>) -> String {
    let heading = heading(pull, now);
    if pull.pages == 0 {
        return heading;
    }
    format!(
        "{heading}: {}; games {}, channels {}, merged {}",
        fetched(pull, pace),
        share(pull.games_chunks, pull),
        share(pull.channels_chunks, pull),
        merged(pull, pace)
    )
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::view::sample;

    #[test]
    fn two_looks_make_a_line() {
        let start = sample::now();
        let mut pull = sample::under_way();
        let mut pace = Pace::default();
        pace.note(&pull, start);
        pull.fetched += 900;
        pull.merged_chunks += 4;
        let later = start + TimeDelta::seconds(3);
        pace.note(&pull, later);
        assert_eq!(
            line(&pull, &pace, later),
            "Pull 8 is fetching pages, 13s: 40 pages, 3,800 streams, 300/s; games 30 of 40, channels 22 of 40, \
             merged 24 of 40"
        );
        pull.status = "filling-games".into();
        pull.extracted_at = Some(later);
        assert_eq!(
            line(&pull, &pace, later),
            "Pull 8 has all its pages, and is filling games, 13s: 40 pages, 3,800 streams, done in 13s; \
             games 30 of 40, channels 22 of 40, merged 24 of 40, about 12s left"
        );
    }

    #[test]
    fn a_pull_nobody_began_has_nothing_to_count() {
        let mut pull = sample::under_way();
        pull.pages = 0;
        assert_eq!(line(&pull, &Pace::default(), sample::now()), "Pull 8 waits for its first page, 10s");
    }
}
