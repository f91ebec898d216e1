//! Numbers, durations and times for people.

use chrono::{DateTime, TimeDelta, Utc};

/// Units of time in seconds, the largest first.
const UNITS: [(i64, &str); 6] =
    [(365 * 86_400, "y"), (7 * 86_400, "w"), (86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];

/// A count with thousands separators: `21,034`.
pub fn number(n: impl TryInto<u64>) -> String {
    // No count is negative.
    let digits = n.try_into().unwrap_or_default().to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 chunk`, `12 chunks`.
pub fn count(n: impl TryInto<u64>, noun: &str) -> String {
    let number = number(n);
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A duration in its two largest units: `0.4s`, `12s`, `1m 05s`, `2h 03m`, `3d 04h`.
pub fn duration(duration: TimeDelta) -> String {
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
pub fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - time).num_seconds();
    if seconds < 1 {
        return "just now".to_owned();
    }
    // The largest unit of which there are at least one and a half, rounded.
    let unit = UNITS.into_iter().find(|(unit, _)| 2 * seconds >= 3 * unit);
    let (unit, name) = unit.unwrap_or((1, "s"));
    format!("{}{name} ago", (seconds + unit / 2) / unit)
}

/// A time in full, to the second.
pub fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time without its date if that is today's.
pub fn short_time(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let format = if time.date_naive() == now.date_naive() { "%H:%M:%S" } else { "%b %d %H:%M" };
    time.format(format).to_string()
}

/// The first line of a text, cut to `longest` characters.
pub fn first_line(text: &str, longest: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= longest {
        return line.to_owned();
    }
    line.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_noun() {
        assert_eq!(count(1, "chunk"), "1 chunk");
        assert_eq!(count(0, "chunk"), "0 chunks");
        assert_eq!(count(1_234_567_i64, "chunk"), "1,234,567 chunks");
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

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(first_line("żżżż", 4), "żżżż");
        assert_eq!(first_line("żżżżż\nmore", 4), "żżż…");
    }
}
