//! A pull in phrases that several texts share.

use std::cmp::Reverse;

use crate::{schema::Rule, store::PullReport};
use chrono::{DateTime, Utc};

use super::format::{count, duration, number};

/// What the pull is doing, and for how long.
pub fn describe_progress(pull: &PullReport, now: DateTime<Utc>) -> String {
    let doing = match pull.status.as_str() {
        "pending" if pull.pages == 0 => "is waiting for its first page",
        "pending" => "is fetching pages",
        "filling-games" => "has all its pages, and is filling games",
        "filling-channels" => "has all its games, and is filling channels",
        "success" => "succeeded",
        other => other,
    };
    let until = pull.completed_at.unwrap_or(now);
    format!("Pull {} {doing}, {}", pull.pull_id, duration(until - pull.started_at))
}

/// Why fetching stopped, in words.
pub fn describe_stop(reason: &str) -> &'static str {
    match reason {
        "end" => "Twitch had no more pages",
        "min_viewers" => "remaining streams are below MIN_VIEWERS",
        "page_cap" => "the page cap was reached",
        "cursor_loop" => "Twitch's cursors led in a circle",
        "error" => "an error",
        "cancelled" => "the pull was cancelled",
        _ => "a reason this build does not know",
    }
}

/// Why the list of streams is incomplete, if it is.
pub fn describe_incomplete(pull: &PullReport) -> Option<String> {
    let reason = pull.stop_reason.as_deref().filter(|_| pull.whole == Some(false))?;
    Some(format!("the list of streams is incomplete: {}", describe_stop(reason)))
}

/// The records that failed validation, by rule: `12 records rejected (10 malformed-json, 2 tags-not-strings)`. Streams below
/// `MIN_VIEWERS` are not among them.
pub fn describe_rejects(pull: &PullReport) -> Option<String> {
    let rules = by_rule(pull).filter(|(rule, _)| *rule != Rule::BelowMinViewers.as_str());
    let (mut all, mut named) = (0, Vec::new());
    for (rule, records) in rules {
        all += records;
        named.push(format!("{} {rule}", number(records)));
    }
    (all > 0).then(|| format!("{} rejected ({})", count(all, "record"), named.join(", ")))
}

/// Rejected records by rule, the most first.
pub fn by_rule(pull: &PullReport) -> impl Iterator<Item = (&str, i32)> {
    let mut rules: Vec<_> =
        pull.rejected_by_rule.iter().map(|(rule, records)| (rule.as_str(), *records)).collect();
    rules.sort_by_key(|(_, records)| Reverse(*records));
    rules.into_iter()
}

/// Every record is accounted for: `fetched 1,000 = stored 900 + rejected 90 + duplicates 10`.
pub fn describe_records(pull: &PullReport) -> String {
    format!(
        "fetched {} = stored {} + rejected {} + duplicates {}",
        number(pull.fetched),
        number(pull.stored),
        number(pull.rejected),
        number(pull.duplicates)
    )
}

/// New and unknown games, once the pull has ended.
pub fn describe_games(pull: &PullReport) -> Option<String> {
    let (added, missing) = pull.games_added.zip(pull.games_missing)?;
    Some(format!("{} new, {} unknown to Twitch", number(added), number(missing)))
}

/// Streams with and without a known channel, once the pull has ended.
pub fn describe_channels(pull: &PullReport) -> Option<String> {
    let (filled, missing) = pull.channels_filled.zip(pull.channels_missing)?;
    Some(format!("{} filled, {} unknown to Twitch", number(filled), number(missing)))
}
