//! Progress at a terminal: a heading, and one line per stage.

use chrono::{DateTime, Utc};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use shared::store::PullReport;

use super::{format, rate::Rate};
use crate::view::describe_progress;

/// Most draws per second. Each line of each poll is one; leaving one out would mix two polls.
const DRAWS_PER_SECOND: u8 = 100;

/// The lines, redrawn at every poll.
pub(crate) struct Bars {
    all: MultiProgress,
    heading: ProgressBar,
    extractor: ProgressBar,
    games: ProgressBar,
    channels: ProgressBar,
    merged: ProgressBar,
}

impl Bars {
    /// Draws on standard error, so that standard output stays the result's.
    pub(crate) fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        let line = |name: &'static str, template: &str| {
            all.add(ProgressBar::new(0).with_prefix(name).with_style(style(template)))
        };
        let bar = "  {prefix:9} {bar:30.cyan/black.bright} {msg}";
        Self {
            heading: line("", "{spinner:.cyan} {msg:.bold}"),
            extractor: line("pages", "  {prefix:9} {msg}"),
            games: line("games", bar),
            channels: line("channels", bar),
            merged: line("merged", bar),
            all,
        }
    }

    /// Shows how far the pull is.
    pub(crate) fn show(&self, pull: &PullReport, rate: &Rate, now: DateTime<Utc>) {
        self.heading.tick();
        self.heading.set_message(describe_progress(pull, now));
        self.extractor.set_message(format::fetched(pull, rate));
        let chunks = u64::try_from(pull.chunks).unwrap_or_default();
        let stages = [
            (&self.games, pull.games_chunks, format::done(pull.games_chunks, pull)),
            (&self.channels, pull.channels_chunks, format::done(pull.channels_chunks, pull)),
            (&self.merged, pull.merged_chunks, format::merged(pull, rate)),
        ];
        for (bar, done, text) in stages {
            bar.update(|state| {
                state.set_len(chunks.max(1));
                state.set_pos(u64::try_from(done).unwrap_or_default());
            });
            bar.set_message(text);
        }
    }

    /// Shows a warning above the bars.
    pub(crate) fn warn(&self, what: &str) {
        // A terminal that is gone reads nothing.
        let _ = self.all.println(what);
    }

    /// Removes the bars: the summary says more.
    pub(crate) fn clear(&self) {
        let _ = self.all.clear();
    }
}

/// The style of a line. A template that does not parse gives the default one.
pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}
