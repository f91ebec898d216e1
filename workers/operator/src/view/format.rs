//! Numbers, durations, times, and what a pull is doing, in words.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta, Utc};
use shared::{schema::Rule, store::PullReport};

/// A whole number with its thousands set apart: `21,034`.
pub(crate) fn number(n: impl Into<i64>) -> String {
    let n = n.into();
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if n < 0 { format!("-{text}") } else { text }
}

/// How many of what: `1 chunk`, `12 chunks`.
pub(crate) fn count(n: impl Into<i64>, what: &str) -> String {
    let n = n.into();
    format!("{} {what}{}", number(n), if n == 1 { "" } else { "s" })
}

/// A duration with the two units that matter: `0.4s`, `12s`, `1m 05s`, `2h 03m`, `3d 04h`.
pub(crate) fn duration(duration: TimeDelta) -> String {
    let millis = duration.num_milliseconds().max(0);
    let seconds = millis / 1000;
    match seconds {
        0..10 => format!("{}.{}s", seconds, millis % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// How long ago it was, in one unit: `just now`, `12s ago`, `3m ago`.
pub(crate) fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - time).num_seconds();
    match seconds {
        i64::MIN..1 => "just now".to_owned(),
        1..60 => format!("{seconds}s ago"),
        60..3600 => format!("{}m ago", seconds / 60),
        3600..86_400 => format!("{}h ago", seconds / 3600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

/// A time in full, to the second.
pub(crate) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time as short as it can be read: without the date on the same day.
pub(crate) fn short_time(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let format = if time.date_naive() == now.date_naive() { "%H:%M:%S" } else { "%b %d %H:%M" };
    time.format(format).to_string()
}

/// Why fetching stopped, for those who do not know the names.
pub(crate) fn stop_reason(reason: &str) -> &'static str {
    match reason {
        "end" => "Twitch had no more pages",
        "min_viewers" => "remaining streams are below MIN_VIEWERS",
        "page_cap" => "the page cap was reached",
        "cursor_loop" => "Twitch's cursors led in a circle",
        "error" => "it could not go on",
        _ => "for a reason this build does not know",
    }
}

/// What a pull's list lacks, if it was cut short.
pub(crate) fn not_whole(pull: &PullReport) -> Option<String> {
    let reason = pull.stop_reason.as_deref().filter(|_| pull.whole == Some(false))?;
    Some(format!("the list of streams is not whole: {}", stop_reason(reason)))
}

/// The records of a pull that were rejected and should not have been there, by rule: `12 records rejected (10 malformed-json,
/// 2 tags-not-strings)`. Streams below `MIN_VIEWERS` are not among them.
pub(crate) fn malformed(pull: &PullReport) -> Option<String> {
    let mut rules: Vec<_> =
        pull.rejected_by_rule.iter().filter(|(rule, _)| *rule != Rule::BelowMinViewers.as_str()).collect();
    rules.sort_by_key(|(_, records)| Reverse(**records));
    let all: i64 = rules.iter().map(|(_, records)| i64::from(**records)).sum();
    let rules = rules.into_iter().map(|(rule, records)| format!("{} {rule}", number(*records)));
    (all > 0).then(|| format!("{} rejected ({})", count(all, "record"), rules.collect::<Vec<_>>().join(", ")))
}

/// What a pull is doing, and for how long.
pub(crate) fn heading(pull: &PullReport, now: DateTime<Utc>) -> String {
    let doing = match pull.status.as_str() {
        "pending" if pull.pages == 0 => "waits for its first page",
        "pending" => "is fetching pages",
        "filling-games" => "has all its pages, and is filling games",
        "filling-channels" => "has all its games, and is filling channels",
        "success" => "succeeded",
        "failed" => "failed",
        other => other,
    };
    let until = pull.completed_at.unwrap_or(now);
    format!("Pull {} {doing}, {}", pull.pull_id, duration(until - pull.started_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let cases =
            [(0, "0"), (999, "999"), (1_000, "1,000"), (-21_034, "-21,034"), (1_234_567, "1,234,567")];
        for (n, text) in cases {
            assert_eq!(number(n), text);
        }
        assert_eq!(count(1, "chunk"), "1 chunk");
        assert_eq!(count(0, "chunk"), "0 chunks");
    }

    #[test]
    fn durations_have_the_units_that_matter() {
        let cases = [
            (-5, "0.0s"),
            (449, "0.4s"),
            (9_999, "9.9s"),
            (59_999, "59s"),
            (65_000, "1m 05s"),
            (7_380_000, "2h 03m"),
            (273_600_000, "3d 04h"),
        ];
        for (millis, text) in cases {
            assert_eq!(duration(TimeDelta::milliseconds(millis)), text);
        }
    }

    #[test]
    fn times_are_short_where_they_can_be() {
        let now: DateTime<Utc> = "2026-07-12T10:42:00Z".parse().unwrap();
        assert_eq!(ago(now, now), "just now");
        assert_eq!(ago(now - TimeDelta::seconds(185), now), "3m ago");
        assert_eq!(ago(now - TimeDelta::hours(49), now), "2d ago");
        assert_eq!(short_time(now, now), "10:42:00");
        assert_eq!(short_time(now - TimeDelta::days(1), now), "Jul 11 10:42");
    }
}
