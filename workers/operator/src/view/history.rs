//! What happened, in one line of time; and alarms.

use chrono::{DateTime, Utc};
use shared::store::{AlarmRow, HistoryEntry};

use super::{
    format::short_time,
    table::{Style, Table},
};
use crate::suggest;

/// The line of time, the latest last.
pub(crate) fn history(entries: &[HistoryEntry], now: DateTime<Utc>) -> String {
    if entries.is_empty() {
        return "Nothing happened.".to_owned();
    }
    let mut table = Table::new(&["AT (UTC)", "WHAT", "WHERE", "~DETAIL"]);
    for entry in entries {
        let pull = entry.pull_id.map(|pull| format!("pull {pull}"));
        let place: Vec<String> = [entry.stage.clone(), pull].into_iter().flatten().collect();
        let style = if entry.trouble { Style::Bad } else { Style::Plain };
        table.styled_row(
            &[Style::Plain, style],
            [short_time(entry.at, now), entry.kind.clone(), place.join(" "), entry.detail.clone()],
        );
    }
    table.to_string()
}

/// The table of alarms.
pub(crate) fn alarms(alarms: &[AlarmRow], now: DateTime<Utc>) -> String {
    if alarms.is_empty() {
        return "No alarms.".to_owned();
    }
    let mut table = Table::new(&[">ID", "AT (UTC)", "ABOUT", "KIND", "~DETAIL"]);
    for alarm in alarms {
        let style = if alarm.acknowledged_at.is_some() { Style::Plain } else { Style::Bad };
        let seen = alarm.acknowledged_by.as_ref().map(|by| {
            let note = alarm.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
            format!("; acknowledged by {by}{note}")
        });
        table.styled_row(
            &[Style::Plain, Style::Plain, Style::Plain, style],
            [
                alarm.id.to_string(),
                short_time(alarm.at, now),
                alarm.subject.clone(),
                alarm.kind.clone(),
                format!("{}{}", alarm.detail, seen.unwrap_or_default()),
            ],
        );
    }
    let open = alarms.iter().find(|alarm| alarm.acknowledged_at.is_none());
    let hint = open.map(|alarm| {
        suggest::typed(&format!("\n`operator alarms acknowledge {}` says that you know", alarm.id))
    });
    format!("{table}{}", hint.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn what_happened_is_one_line_each() {
        let text = history(&[sample::history_entry()], sample::now());
        assert!(text.contains("pull 7") && text.contains("complete: 3800 streams"), "{text}");
        assert_eq!(history(&[], sample::now()), "Nothing happened.");
    }

    #[test]
    fn an_open_alarm_comes_with_the_command_that_closes_it() {
        let open = alarms(&[sample::alarm()], sample::now());
        assert!(open.contains("`operator alarms acknowledge 3`"), "{open}");
        let by = Some("ada".to_owned());
        let seen = AlarmRow { acknowledged_at: Some(sample::now()), acknowledged_by: by, ..sample::alarm() };
        let seen = alarms(&[seen], sample::now());
        assert!(seen.contains("acknowledged by ada") && !seen.contains("operator"), "{seen}");
    }
}
