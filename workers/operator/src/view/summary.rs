//! A pull that came to its end, in a few lines.

use shared::store::PullReport;

use super::format::{count, duration, malformed, not_whole, number, stop_reason};

/// Status, counts, duration, why it stopped.
pub(crate) fn summary(pull: &PullReport) -> String {
    let took =
        pull.completed_at.map_or_else(String::new, |end| format!(" in {}", duration(end - pull.started_at)));
    let ended = match pull.status.as_str() {
        "success" => "succeeded",
        "failed" => "failed",
        other => other,
    };
    let mut lines = vec![
        format!(
            "Pull {} {ended}{took}: {} on {}.",
            pull.pull_id,
            count(pull.stored, "stream"),
            count(pull.pages, "page")
        ),
        format!("  {}", equation(pull)),
    ];
    if let (Some(added), Some(missing)) = (pull.games_added, pull.games_missing) {
        lines.push(format!("  games: {} new, {} unknown to Twitch", number(added), number(missing)));
    }
    if let (Some(filled), Some(missing)) = (pull.channels_filled, pull.channels_missing) {
        lines.push(format!("  channels: {} filled, {} unknown to Twitch", number(filled), number(missing)));
    }
    lines.extend(malformed(pull).map(|records| format!("  {records}")));
    lines.extend(not_whole(pull).map(|lacks| format!("  {lacks}")));
    let stopped = pull.stop_reason.as_deref();
    let stopped = stopped
        .map_or_else(String::new, |reason| format!("; fetching ended because {}", stop_reason(reason)));
    lines.push(format!("  {} to Helix{stopped}", count(pull.helix_calls, "call")));
    lines.join("\n")
}

/// Nothing disappears: `fetched 1,000 = stored 900 + rejected 90 + duplicates 10`.
pub(crate) fn equation(pull: &PullReport) -> String {
    format!(
        "fetched {} = stored {} + rejected {} + duplicates {}",
        number(pull.fetched),
        number(pull.stored),
        number(pull.rejected),
        number(pull.duplicates)
    )
}
