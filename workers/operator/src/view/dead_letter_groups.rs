//! The table of causes.

use chrono::{DateTime, Utc};
use shared::store::DeadLetterGroup;

use super::{
    format::{ago, first_line, number},
    table::{Style, Table},
};

/// The longest message or note that is shown.
const LONGEST: usize = 60;

/// The table, the largest group first.
pub(crate) fn dead_letter_groups(groups: &[DeadLetterGroup], now: DateTime<Utc>) -> String {
    if groups.is_empty() {
        return "There are no dead letters.".to_owned();
    }
    table(groups, now).to_string()
}

fn table(groups: &[DeadLetterGroup], now: DateTime<Utc>) -> Table {
    let headings = ["GROUP\nstage", ">COUNT\nheld", "~CODE\nmessage · note", "FIRST\nlast", ">NEWEST"];
    let mut table = Table::new(&headings);
    for group in groups {
        table.styled_row(
            &[Style::Bad],
            [
                format!("{}\n{}", group.fingerprint, group.stage),
                format!("{}\n{}", number(group.letters), number(group.held)),
                cause(group),
                format!("{}\n{}", ago(group.first_failed_at, now), ago(group.last_failed_at, now)),
                group.sample.to_string(),
            ],
        );
    }
    table
}

/// The failure, and what somebody noted about it.
fn cause(group: &DeadLetterGroup) -> String {
    let owner = group.owner.iter().filter(|owner| !owner.is_empty()).map(|owner| format!("{owner}:"));
    let note = group.note.iter().filter(|note| !note.is_empty()).map(|note| first_line(note, LONGEST));
    let note = owner.chain(note).collect::<Vec<_>>().join(" ");
    let note = if note.is_empty() { note } else { format!("\n· {note}") };
    format!("{} ({})\n{}{note}", group.code, group.class, first_line(&group.message, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_table_fits_eighty_columns_and_breaks_no_word() {
        let wide = DeadLetterGroup {
            letters: 100_000,
            code: "helix.server_error".into(),
            class: "transient".into(),
            message: "Twitch answered 503 (Service Unavailable) to the request to /users".into(),
            ..sample::dead_letter_group()
        };
        let text = table(&[wide], sample::now()).at_width(80);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for word in
            ["3fa9c0de3fa9c0de", "100,000", "helix.server_error", "(transient)", "Unavailable)", "ada:"]
        {
            assert!(text.split_whitespace().any(|shown| shown == word), "{word} is broken in\n{text}");
        }
    }
}
