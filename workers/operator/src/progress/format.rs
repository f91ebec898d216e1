//! A pull's progress: the texts beside the bars, and the line without them.

use chrono::{DateTime, Utc};
use shared::store::PullReport;

use super::rate::Rate;
use crate::view::{
    describe_progress,
    format::{count, duration, number},
};

/// Pages and streams so far, and how fast they come.
pub(crate) fn fetched(pull: &PullReport, rate: &Rate) -> String {
    let speed = match (pull.extracted_at, rate.records_per_second()) {
        (Some(end), _) => format!(", done in {}", duration(end - pull.started_at)),
        (None, Some(rate)) => format!(", {}/s", number(rate)),
        (None, None) => String::new(),
    };
    format!("{}, {}{speed}", count(pull.pages, "page"), count(pull.stored, "stream"))
}

/// Chunks that a stage has done; their number grows while pages are fetched.
pub(crate) fn done(done: i64, pull: &PullReport) -> String {
    format!("{} of {}", number(done), number(pull.chunks))
}

/// Chunks that are merged, and the time left.
pub(crate) fn merged(pull: &PullReport, rate: &Rate) -> String {
    let left = rate.time_left(pull).map(|left| format!(", about {} left", duration(left)));
    format!("{}{}", done(pull.merged_chunks, pull), left.unwrap_or_default())
}

/// All of it in one line.
pub(crate) fn line(pull: &PullReport, rate: &Rate, now: DateTime<Utc>) -> String {
    let heading = describe_progress(pull, now);
    if pull.pages == 0 {
        return heading;
    }
    format!(
        "{heading}: {}; games {}, channels {}, merged {}",
        fetched(pull, rate),
        done(pull.games_chunks, pull),
        done(pull.channels_chunks, pull),
        merged(pull, rate)
    )
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{progress::rate::polled_twice, sample};

    #[test]
    fn two_polls_make_a_line() {
        let later = sample::now() + TimeDelta::seconds(3);
        let (mut pull, rate) = polled_twice(TimeDelta::seconds(3), 900, 4);
        assert_eq!(
            line(&pull, &rate, later),
            "Pull 8 is fetching pages, 13s: 40 pages, 3,800 streams, 300/s; games 30 of 40, channels 22 of 40, \
             merged 24 of 40"
        );
        pull.status = "filling-games".into();
        pull.extracted_at = Some(later);
        assert_eq!(
            line(&pull, &rate, later),
            "Pull 8 has all its pages, and is filling games, 13s: 40 pages, 3,800 streams, done in 13s; \
             games 30 of 40, channels 22 of 40, merged 24 of 40, about 12s left"
        );
    }

    #[test]
    fn a_pull_without_pages_has_nothing_to_count() {
        let mut pull = sample::under_way();
        pull.pages = 0;
        assert_eq!(line(&pull, &Rate::default(), sample::now()), "Pull 8 is waiting for its first page, 10s");
    }
}
