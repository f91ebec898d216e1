//! What changed between two texts, line by line.

/// The lines of both, each with `-` (only before), `+` (only after) or a space; unchanged ones far from any change are
/// left out.
pub(super) fn diff(before: &str, after: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let common = common(&before, &after);
    let mut lines: Vec<(char, &str)> = Vec::new();
    let (mut at, mut to) = (0, 0);
    while at < before.len() || to < after.len() {
        if at < before.len() && to < after.len() && before[at] == after[to] {
            lines.push((' ', before[at]));
            (at, to) = (at + 1, to + 1);
        } else if to == after.len() || (at < before.len() && common[at + 1][to] >= common[at][to + 1]) {
            lines.push(('-', before[at]));
            at += 1;
        } else {
            lines.push(('+', after[to]));
            to += 1;
        }
    }
    let near =
        |n: usize| lines[n.saturating_sub(2)..lines.len().min(n + 3)].iter().any(|(mark, _)| *mark != ' ');
    let shown = lines.iter().enumerate().filter(|(n, _)| near(*n));
    shown.fold(String::new(), |mut text, (_, (mark, line))| {
        text.push(*mark);
        text.extend([" ", line, "\n"]);
        text
    })
}

/// How many lines the rests of both have in common, from each place of each.
fn common(before: &[&str], after: &[&str]) -> Vec<Vec<u32>> {
    let mut common = vec![vec![0; after.len() + 1]; before.len() + 1];
    for at in (0..before.len()).rev() {
        for to in (0..after.len()).rev() {
            common[at][to] = if before[at] == after[to] {
                common[at + 1][to + 1] + 1
            } else {
                common[at + 1][to].max(common[at][to + 1])
            };
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_and_its_surroundings_are_shown() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8";
        assert_eq!(diff(before, before), "");
        assert_eq!(diff(before, &before.replace('5', "five")), "  3\n  4\n- 5\n+ five\n  6\n  7\n");
        assert_eq!(diff("a", ""), "- a\n");
        assert_eq!(diff("", "a\nb"), "+ a\n+ b\n");
    }
}
