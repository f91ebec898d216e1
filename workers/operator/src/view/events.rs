//! Warnings and errors, the latest last.

use chrono::{DateTime, Utc};
use shared::store::EventRow;

use super::{
    format::{number, short_time},
    table::{Style, Table},
};

/// The table of events.
pub(crate) fn events(events: &[EventRow], now: DateTime<Utc>) -> String {
    if events.is_empty() {
        return "No warnings and no errors.".to_owned();
    }
    let mut table = Table::new(&["LAST (UTC)", ">COUNT", "LEVEL", "STAGE", "~WHAT"]);
    for event in events {
        let styles = [Style::Plain, Style::Plain, style(event)];
        table.styled_row(
            &styles,
            [
                short_time(event.last_at, now),
                number(event.count),
                event.level.to_lowercase(),
                event.stage.clone(),
                what(event),
            ],
        );
    }
    table.to_string()
}

/// One event in one line, for somebody who follows them.
pub(crate) fn event_line(event: &EventRow, now: DateTime<Utc>) -> String {
    let (at, level) = (short_time(event.last_at, now), event.level.to_lowercase());
    let times = if event.count > 1 { format!(" ({} times)", number(event.count)) } else { String::new() };
    format!("{at}  {level:<5}  {:<16}  {}{times}", event.stage, what(event))
}

fn style(event: &EventRow) -> Style {
    if event.level == "ERROR" { Style::Bad } else { Style::Busy }
}

/// Its words, and its code where the words do not hold it.
fn what(event: &EventRow) -> String {
    match &event.code {
        Some(code) => format!("{} [{code}]", event.message),
        None => event.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_storm_is_one_line() {
        let text = events(&[sample::event()], sample::now());
        assert!(text.contains("1,204  error  game-enricher"), "{text}");
        assert!(text.contains("Twitch answered 503 [helix.server_error]"), "{text}");
        let line = event_line(&sample::event(), sample::now());
        assert_eq!(
            line,
            "10:42:00  error  game-enricher     Twitch answered 503 [helix.server_error] (1,204 times)"
        );
    }
}
