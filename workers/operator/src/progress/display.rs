//! Where progress is shown: bars at a terminal, lines in a log, nothing for a program that reads JSON.

use chrono::{DateTime, TimeDelta, Utc};
use shared::store::PullReport;

use super::{bars::Bars, format, rate::Rate};
use crate::output;

/// The shortest time between two lines.
const LINE_EVERY: TimeDelta = TimeDelta::seconds(2);

/// Shows progress on standard error.
pub(crate) enum Display {
    /// At a terminal.
    Bars(Bars),
    /// Elsewhere: a line when something changed.
    Lines(Option<(DateTime<Utc>, PullReport)>),
    /// Nowhere.
    Silent,
}

impl Display {
    /// The display for whoever reads.
    pub(crate) fn new(json: bool) -> Self {
        match (output::is_watched(), json) {
            (true, _) => Self::Bars(Bars::new()),
            (false, false) => Self::Lines(None),
            (false, true) => Self::Silent,
        }
    }

    /// Shows how far the pull is.
    pub(crate) fn show(&mut self, pull: &PullReport, rate: &Rate, now: DateTime<Utc>) {
        match self {
            Self::Bars(bars) => bars.show(pull, rate, now),
            Self::Lines(last) => {
                let due = last.as_ref().is_none_or(|(at, before)| is_line_due(before, pull, now - *at));
                // The end needs no line: the summary follows.
                if due && pull.completed_at.is_none() {
                    output::warn(&format::line(pull, rate, now));
                    *last = Some((now, pull.clone()));
                }
            }
            Self::Silent => {}
        }
    }

    /// Shows a warning beside the progress.
    pub(crate) fn warn(&self, what: &str) {
        match self {
            Self::Bars(bars) => bars.warn(what),
            Self::Lines(_) => output::warn(what),
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
fn is_line_due(before: &PullReport, pull: &PullReport, since: TimeDelta) -> bool {
    before != pull && since >= LINE_EVERY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_line_is_due_when_something_changed_and_not_too_often() {
        let before = sample::under_way();
        let mut pull = before.clone();
        assert!(!is_line_due(&before, &pull, TimeDelta::minutes(5)), "nothing changed");
        pull.merged_chunks += 1;
        assert!(!is_line_due(&before, &pull, TimeDelta::seconds(1)), "too soon");
        assert!(is_line_due(&before, &pull, TimeDelta::seconds(2)));
    }
}
