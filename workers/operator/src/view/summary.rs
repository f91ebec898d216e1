//! A pull that has ended, in a few lines.

use shared::{
    store::PullReport,
    view::{
        describe_channels, describe_games, describe_incomplete, describe_records, describe_rejects,
        describe_stop,
    },
};

use super::format::{count, duration};

/// Status, counts, duration, and why fetching stopped.
pub(crate) fn summary(pull: &PullReport) -> String {
    let took =
        pull.completed_at.map_or_else(String::new, |end| format!(" in {}", duration(end - pull.started_at)));
    let ended = if pull.status == "success" { "succeeded" } else { &pull.status };
    let mut lines = vec![
        format!(
            "Pull {} {ended}{took}: {} on {}.",
            pull.pull_id,
            count(pull.stored, "stream"),
            count(pull.pages, "page")
        ),
        describe_records(pull),
    ];
    lines.extend(describe_games(pull).map(|games| format!("games: {games}")));
    lines.extend(describe_channels(pull).map(|channels| format!("channels: {channels}")));
    lines.extend(describe_rejects(pull));
    lines.extend(describe_incomplete(pull));
    let stopped = pull.stop_reason.as_deref();
    let stopped = stopped.map_or_else(String::new, |reason| format!("; stopped: {}", describe_stop(reason)));
    lines.push(format!("{} to Helix{stopped}", count(pull.helix_calls, "call")));
    lines.join("\n  ")
}
