//! How far a replay is: a line that changes at a terminal, lines now and then elsewhere, nothing for a program.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use shared::store::ReplayReport;
use tokio::time::Instant;

use crate::output;

/// The shortest time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Where progress is shown.
pub(super) enum Progress {
    /// At a terminal.
    Bar(ProgressBar),
    /// Elsewhere; when the last line was.
    Lines(Option<Instant>),
    /// Nobody wants to know.
    Silent,
}

impl Progress {
    /// The progress that fits who reads.
    pub(super) fn fit(json: bool) -> Self {
        match (output::is_watched(), json) {
            (true, _) => {
                let bar = ProgressBar::new(1);
                // A template that does not parse would show the default one.
                if let Ok(style) = ProgressStyle::with_template("  {bar:30.cyan/black.bright} {msg}") {
                    bar.set_style(style.progress_chars("━╸─"));
                }
                Self::Bar(bar)
            }
            (false, false) => Self::Lines(None),
            (false, true) => Self::Silent,
        }
    }

    /// Shows how far it is.
    pub(super) fn show(&mut self, report: &ReplayReport) {
        let sent = report.letters - report.not_sent;
        match self {
            Self::Bar(bar) => {
                bar.set_length(u64::try_from(report.letters).unwrap_or_default());
                bar.set_position(u64::try_from(sent).unwrap_or_default());
                bar.set_message(words(report));
            }
            Self::Lines(last) => {
                if last.is_none_or(|last| last.elapsed() >= LINE_EVERY) {
                    *last = Some(Instant::now());
                    output::remark(&words(report));
                }
            }
            Self::Silent => {}
        }
    }

    /// Leaves the terminal as it was.
    pub(super) fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn words(report: &ReplayReport) -> String {
    format!(
        "replay {}: {} of {} sent, {} done, {} came back, {} under way",
        report.replay_id,
        report.letters - report.not_sent,
        report.letters,
        report.done,
        report.returned_same + report.returned_different,
        report.pending
    )
}
