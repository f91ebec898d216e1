//! Logins and the names shown for them.

use super::rng::Rng;
use super::words::{FIRST, OTHER_SCRIPTS, SECOND};

/// A login no other `n` has: lower-case dead letters, digits and `_`.
pub(crate) fn login(n: usize, rng: &mut Rng) -> String {
    let first = FIRST[n % FIRST.len()];
    let second = SECOND[(n / FIRST.len() + n) % SECOND.len()];
    if n < FIRST.len() * SECOND.len() {
        return format!("{first}{second}");
    }
    let between = if rng.chance(0.3) { "_" } else { "" };
    format!("{first}{between}{second}{n}")
}

/// The name shown: one in ten is in another script, very few have a space within or behind.
pub(crate) fn display(login: &str, n: usize, rng: &mut Rng) -> String {
    if rng.chance(0.1) {
        let name = rng.pick(OTHER_SCRIPTS);
        return match n % 3 {
            0 => format!("{name}{n}"),
            _ => name.to_owned(),
        };
    }
    match n % 2_500 {
        1_234 => return format!("{login} "),
        617 => return login.replacen('_', " ", 1),
        _ => {}
    }
    if rng.chance(0.4) {
        return login.to_owned();
    }
    let mut letters = login.chars();
    let head = letters.next().map(|letter| letter.to_ascii_uppercase());
    head.into_iter().chain(letters).collect()
}
