//! The table of dead letters.

use chrono::{DateTime, Utc};
use shared::{store::DeadLetterRow, view::dead_letter_state};

use super::{
    format::{ago, first_line, number},
    table::{Style, Table},
};

/// The longest message that is shown.
const LONGEST_MESSAGE: usize = 60;
/// Digits of the fingerprint that are shown: enough to name a group.
const FINGERPRINT_DIGITS: usize = 6;

/// A page of dead letters.
#[derive(Debug)]
pub(crate) struct DeadLetterPage {
    /// How many match, on all pages.
    pub(crate) matching: i64,
    /// Where the next page begins; none on the last.
    pub(crate) next_after: Option<i64>,
    /// Those of this page.
    pub(crate) dead_letters: Vec<DeadLetterRow>,
}

/// The table, and beneath it where the next page begins.
pub(crate) fn dead_letter_list(page: &DeadLetterPage, now: DateTime<Utc>) -> String {
    if page.matching == 0 {
        return "There are no dead letters.".to_owned();
    }
    let shown = number(page.dead_letters.len());
    let next = page.next_after.map_or_else(String::new, |id| format!("; next page: --after {id}"));
    format!("{}\n{shown} of {} matching{next}", table(page, now), number(page.matching))
}

fn table(page: &DeadLetterPage, now: DateTime<Utc>) -> Table {
    let headings =
        [">ID\npull", "STATE\nfailed", "STAGE\nchunk", "~CODE\nmessage", "GROUP", ">TRIES\nreplays"];
    let mut table = Table::new(&headings);
    for dead_letter in &page.dead_letters {
        let message = first_line(&dead_letter.message, LONGEST_MESSAGE);
        let fingerprint = dead_letter.fingerprint.chars().take(FINGERPRINT_DIGITS).collect();
        table.styled_row(
            &[Style::Plain, Style::from_state(&dead_letter.state)],
            [
                format!("{}\n{}", dead_letter.id, known(dead_letter.pull_id)),
                format!(
                    "{}\n{}",
                    dead_letter_state(&dead_letter.state),
                    ago(dead_letter.last_failed_at, now)
                ),
                format!("{}\n{}", dead_letter.stage, known(dead_letter.chunk)),
                format!("{}\n{message}", dead_letter.code),
                fingerprint,
                format!("{}\n{}", dead_letter.attempts, dead_letter.generation),
            ],
        );
    }
    table
}

fn known(number: Option<impl ToString>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_table_fits_eighty_columns_and_breaks_no_word() {
        let wide = DeadLetterRow {
            id: 100_000,
            stage: "channel-enricher".into(),
            code: "helix.server_error".into(),
            message: "Twitch answered 503 (Service Unavailable) to the request to /users".into(),
            state: "discarded".into(),
            pull_id: Some(12_345),
            ..sample::dead_letter()
        };
        let page = DeadLetterPage { matching: 1, next_after: None, dead_letters: vec![wide] };
        let text = table(&page, sample::now()).at_width(80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for word in ["100000", "12345", "discarded", "channel-enricher", "helix.server_error", "Unavailable)"]
        {
            assert!(text.split_whitespace().any(|shown| shown == word), "{word} is broken in\n{text}");
        }
    }
}
