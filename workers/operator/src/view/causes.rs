//! Causes of dead letters, so that a person sees what they confirm.

use shared::store::DeadLetterGroup;

use super::format::count;

/// The most causes that are named.
const SHOWN: usize = 3;

/// What a replay would send.
#[derive(Debug)]
pub(crate) struct ReplayPreview {
    /// Dead letters that would be sent.
    pub(crate) would_send: i64,
    /// Held dead letters that match, and would be skipped.
    pub(crate) held: i64,
    /// Their causes.
    pub(crate) groups: Vec<DeadLetterGroup>,
}

/// How many dead letters, their causes, and how many are skipped.
pub(crate) fn describe_replay(preview: &ReplayPreview) -> String {
    let skipped = match preview.held {
        0 => String::new(),
        held => format!("; {} held and skipped", count(held, "dead letter")),
    };
    format!("{} ({}{skipped})", count(preview.would_send, "dead letter"), describe_causes(&preview.groups))
}

/// The largest groups: `12 × helix.gone at channel-enricher, 1 more cause`.
pub(crate) fn describe_causes(groups: &[DeadLetterGroup]) -> String {
    let shown = groups.iter().take(SHOWN);
    let shown = shown.map(|group| format!("{} × {} at {}", group.letters, group.code, group.stage));
    let more = groups.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| count(more, "more cause"));
    shown.chain(more).collect::<Vec<_>>().join(", ")
}
