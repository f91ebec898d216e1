//! Where progress is shown: bars for a person, lines for a log, nothing for a program that reads JSON.

use chrono::{DateTime, TimeDelta, Utc};
use shared::store::PullReport;

use super::{bars::Bars, format, rate::Pace};
use crate::output;

/// The shortest time between two lines.
const LINE_EVERY: TimeDelta = TimeDelta::seconds(2);

/// Shows progress on standard error.
pub(crate) enum Display {
    /// At a terminal.
    Bars(Bars),
    /// Elsewhere: a line when something changed.
    Lines(Option<(DateTime<Utc>, PullReport)>),
    /// Nobody wants to know.
    Silent,
}

impl Display {
    /// The display that fits who reads.
    pub(crate) fn fit(json: bool) -> Self {
        match (output::is_watched(), json) {
            (true, _) => Self::Bars(Bars::new()),
            (false, false) => Self::Lines(None),
            (false, true) => Self::Silent,
        }
    }

    /// Shows how far the pull is.
    pub(crate) fn show(&mut self, pull: &PullReport, pace: &Pace, now: DateTime<Utc>) {
        match self {
            Self::Bars(bars) => bars.show(pull, pace, now),
            Self::Lines(last) => {
                let news = last.as_ref().is_none_or(|(at, before)| is_news(before, pull, now - *at));
                // The end needs no line: the summary comes.
                if news && pull.completed_at.is_none() {
                    output::remark(&format::line(pull, pace, now));
                    *last = Some((now, pull.clone()));
                }
            }
            Self::Silent => {}
        }
    }

    /// Says something beside the progress.
    pub(crate) fn remark(&self, what: &str) {
        match self {
            Self::Bars(bars) => bars.remark(what),
            Self::Lines(_) => output::remark(what),
            Self::Silent => {}
        }
    }

    /// Leaves the terminal as it was.
    pub(crate) fn clear(&self) {
        if let Self::Bars(bars) = self {
            bars.clear();
        }
    }
}

/// Whether a line is due: something changed, and the last one is a while ago.
fn is_news(before: &PullReport, pull: &PullReport, since: TimeDelta) -> bool {
    before != pull && since >= LINE_EVERY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;

    #[test]
    fn a_line_is_due_when_something_changed_and_not_too_often() {
        let before = sample::under_way();
        let mut pull = before.clone();
        assert!(!is_news(&before, &pull, TimeDelta::minutes(5)), "nothing changed");
        pull.merged_chunks += 1;
        assert!(!is_news(&before, &pull, TimeDelta::seconds(1)), "too soon");
        assert!(is_news(&before, &pull, TimeDelta::seconds(2)));
    }
}
