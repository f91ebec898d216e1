//! The progress of a replay: a bar at a terminal, lines in a log, nothing for a program that reads JSON.

use std::time::Duration;

use indicatif::ProgressBar;
use shared::store::ReplayReport;
use tokio::time::Instant;

use super::bars::style;
use crate::output;

/// The shortest time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Where progress is shown.
pub(crate) enum ReplayProgress {
    /// At a terminal.
    Bar(ProgressBar),
    /// Elsewhere, with the time of the last line.
    Lines(Option<Instant>),
    /// Nowhere.
    Silent,
}

impl ReplayProgress {
    /// The display for whoever reads.
    pub(crate) fn new(json: bool) -> Self {
        match (output::is_watched(), json) {
            (true, _) => {
                Self::Bar(ProgressBar::new(1).with_style(style("  {bar:30.cyan/black.bright} {msg}")))
            }
            (false, false) => Self::Lines(None),
            (false, true) => Self::Silent,
        }
    }

    /// Shows the progress.
    pub(crate) fn show(&mut self, report: &ReplayReport) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(u64::try_from(report.letters).unwrap_or_default());
                bar.set_position(u64::try_from(report.letters - report.not_sent).unwrap_or_default());
                bar.set_message(describe(report));
            }
            Self::Lines(last) => {
                if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    *last = Some(Instant::now());
                    output::warn(&describe(report));
                }
            }
            Self::Silent => {}
        }
    }

    /// Leaves the terminal as it was.
    pub(crate) fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn describe(report: &ReplayReport) -> String {
    format!(
        "replay {}: {} of {} sent, {} resolved, {} failed again, {} pending",
        report.replay_id,
        report.letters - report.not_sent,
        report.letters,
        report.done,
        report.returned_same + report.returned_different,
        report.pending
    )
}
