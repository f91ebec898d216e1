//! Dead letters in words.

use shared::store::{DeadLetterGroup, DeadLetterRow};

use crate::view::format::count;

/// What a dead letter is about.
pub(super) fn about(letter: &DeadLetterRow) -> String {
    match (letter.pull_id, letter.chunk) {
        (Some(pull), Some(chunk)) => format!("{pull}/{chunk}"),
        (Some(pull), None) => pull.to_string(),
        (None, _) => "-".to_owned(),
    }
}

/// The first line of a text, no longer than `longest` characters.
pub(super) fn short(text: &str, longest: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= longest {
        return line.to_owned();
    }
    line.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

/// The causes among the dead letters meant, so that a person sees what they say yes to.
pub(super) fn causes(groups: &[DeadLetterGroup]) -> String {
    const SHOWN: usize = 3;
    let some = groups.iter().take(SHOWN);
    let some = some.map(|group| format!("{} × {} at {}", group.letters, group.code, group.stage));
    let more = groups.len().saturating_sub(SHOWN);
    let more =
        (more > 0).then(|| format!("{} more", count(i64::try_from(more).unwrap_or(i64::MAX), "cause")));
    some.chain(more).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(short("żżżż", 4), "żżżż");
        assert_eq!(short("żżżżż\nmore", 4), "żżż…");
    }
}
