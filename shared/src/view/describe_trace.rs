//! Where a stream is, or why it is not there, in a sentence.

use super::format::{count, first_line, number};
use crate::store::{Absence, PullFacts, StreamTrace, Whereabouts};

/// Longest cursor that is shown.
const LONGEST_CURSOR: usize = 60;

/// Where a stream of a pull is, or why it is not there.
pub fn describe_whereabouts(trace: &StreamTrace) -> String {
    match &trace.whereabouts {
        Whereabouts::Stored(stored) => {
            let place = stored.place.map_or_else(String::new, |place| format!(", place {place}"));
            let cursor = stored.cursor.as_deref().map_or_else(
                || "the first page".to_owned(),
                |cursor| format!("asked for with cursor {}", first_line(cursor, LONGEST_CURSOR)),
            );
            let merged = match (&stored.stored, &stored.failure) {
                (Some(_), _) => String::new(),
                (None, Some((stage, why))) => format!(" Not merged: {stage} gave its chunk up: {why}."),
                (None, None) => " Not merged yet.".to_owned(),
            };
            let entered =
                if stored.revalidated { " It was rejected at first, and let in later." } else { "" };
            format!("Stored from page {}{place} ({cursor}).{merged}{entered}", stored.chunk)
        }
        Whereabouts::Rejected(rejection) => {
            let (chunk, place, rule, detail) =
                (rejection.chunk, rejection.place, &rejection.rule, &rejection.detail);
            format!("Rejected on page {chunk}, place {place}, by rule {rule}: {detail}.")
        }
        Whereabouts::Absent(absence) => format!("Not there: {}.", describe_absence(*absence, &trace.pull)),
    }
}

/// Why a stream is on no page of a pull.
pub fn describe_absence(absence: Absence, pull: &PullFacts) -> String {
    let pages = count(pull.pages, "page");
    let down_to = pull
        .last_viewers
        .map_or_else(String::new, |viewers| format!(", down to {} viewers", number(viewers)));
    match absence {
        Absence::PagesGone => "the pages of this pull were deleted".to_owned(),
        Absence::UnderWay => format!("the pull is under way; it is not on the first {pages}"),
        Absence::Failed => {
            let why = pull.error.as_deref().unwrap_or("no reason was recorded");
            format!("the pull failed after {pages}{down_to}: {why}")
        }
        Absence::PageCap => {
            format!("fetching stopped at MAX_PAGES after {pages}{down_to}; nobody looked further")
        }
        Absence::CursorLoop => {
            format!("Twitch's cursors led back after {pages}{down_to}; nobody looked further")
        }
        Absence::BelowMinViewers => {
            let least = pull
                .settings
                .as_ref()
                .map_or_else(String::new, |settings| format!(" ({})", settings.min_viewers));
            format!(
                "it is on none of the {pages} down to MIN_VIEWERS{least}: it had fewer viewers, or was not live"
            )
        }
        Absence::NotListed => format!("Twitch's list was read to its end ({pages}), and it was not on it"),
    }
}
